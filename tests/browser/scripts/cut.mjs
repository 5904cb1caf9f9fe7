/** C20: an export that is cut in the middle says so and leaves no file. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { said } from "../steps.mjs";

export default async function ({ open, given }) {
  const page = await open();
  await page.goto(given.path);
  const files = [];
  page.on("download", (download) => files.push(download.suggestedFilename()));
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  const speed = (bytes_per_s) => network.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: bytes_per_s, uploadThroughput: -1 });
  await speed(1e6);
  const button = page.locator("[data-export]");
  await button.click();
  await page.waitForFunction(() => / MB…$/.test(document.querySelector("[data-export]").textContent));
  const midway = await button.textContent();
  const ending = async () => {
    await writeFile(given.ready, "");
    while (!existsSync(given.cut)) await page.waitForTimeout(100);
    await speed(-1);
  };
  const told = await said(page, "The export", ending());
  await page.waitForFunction(() => document.querySelector("[data-export]").textContent === "Export to CSV");
  return { midway, said: told, busy: await button.getAttribute("aria-busy"), files };
}
