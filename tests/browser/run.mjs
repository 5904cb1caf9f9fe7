/** Runs one script of `scripts/` in headless Chromium and prints what it saw as one JSON line. */
import { chromium } from "playwright-core";

const given = JSON.parse(process.env.GIVEN ?? "{}");
const base = process.env.BASE ?? "";
const reports = [];
/** A starved machine is slow, and no script measures. */
const LONGEST_MS = 90_000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** How many times slower than this machine the browser is to be, whose scripts come late then too: what holds there holds on a starved one. */
const slower = Number(process.env.SLOWER ?? 1);

/** A page of somebody signed in, with everything that goes wrong written down. */
async function open({ cookie = process.env.COOKIE, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, baseURL: base, acceptDownloads: true, reducedMotion: "reduce", ...options }); // nothing is looked at while it fades in
  context.setDefaultTimeout(LONGEST_MS);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: base }).catch(() => undefined);
  if (cookie) await context.addCookies([{ name: "syncwatch", value: cookie, url: base }]);
  const page = await context.newPage();
  if (slower > 1) await slow(context, page);
  page.on("pageerror", (error) => reports.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { reports.push(`dialog: ${dialog.message()}`); void dialog.dismiss(); });
  page.on("console", (message) => { if (/content security policy/i.test(message.text())) reports.push(message.text()); });
  page.on("request", (request) => { if (!request.url().startsWith(base) && !/^(blob|data):/.test(request.url())) reports.push(`foreign request: ${request.url()}`); });
  return page;
}

async function slow(context, page) {
  await context.route("**/*.js", (route) => setTimeout(() => void route.continue().catch(() => undefined), 100 * slower));
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: slower });
}

const { default: script } = await import(`./scripts/${process.argv[2]}.mjs`);
try {
  const seen = await script({ open, given, base });
  console.log(JSON.stringify({ ...seen, reports }));
} finally {
  await browser.close();
}
