/** What a first visit of each page brings over the wire, compressed, by page. */
export default async function ({ open, given }) {
  const weights = {};
  for (const path of given.paths) {
    const page = await open();
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    let bytes = 0;
    session.on("Network.loadingFinished", (event) => { bytes += event.encodedDataLength; });
    await page.goto(path, { waitUntil: "networkidle" });
    weights[path] = bytes;
    await page.context().close();
  }
  return { weights };
}
