// Plays one address with one player, in a page that embeds it as any web site
// would, and tells what the video element saw.

/** Plays until the video ends, or for some seconds of media. */
export async function play(context, { page: address, player, url, seconds, rate, patience }) {
  const page = await context.newPage();
  const log = [];
  page.on("console", (message) => log.push(message.text()));
  page.on("pageerror", (error) => log.push(String(error)));
  await page.goto(`${address}?player=${player}`);
  await page.evaluate(([url, rate]) => globalThis.begin({ url, rate }), [url, rate ?? 1]);
  let timedOut = false;
  await page
    .waitForFunction(
      (seconds) => {
        const { video, errors, first } = globalThis.state;
        if (errors.length > 0 || video.ended) return true;
        return seconds > 0 && first !== undefined && video.currentTime - first >= seconds;
      },
      seconds ?? 0,
      { timeout: (patience ?? 40) * 1000, polling: 100 },
    )
    .catch(() => (timedOut = true));
  const seen = await page.evaluate(() => globalThis.seen());
  return { ...seen, timedOut, log: log.slice(-30) };
}
