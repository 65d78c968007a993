// The console as publisher and as viewer over WebRTC. Chromium has a fake
// camera and a fake microphone here.
import { join } from "node:path";

/** Opens a page of the console with keys instead of a link. */
async function open(context, args, path, problems) {
  const page = await context.newPage();
  page.setDefaultTimeout(args.patience * 1000);
  page.on("pageerror", (error) => problems.push(`page error: ${error}`));
  page.on("console", (message) => {
    // Before the login the page asks for a session that it does not have yet.
    if (message.type() === "error" && !message.text().includes("401"))
      problems.push(`console: ${message.text()} ${message.location().url}`);
  });
  await page.addInitScript(() => {
    // What was heard, only the connection knows.
    const Original = RTCPeerConnection;
    globalThis.connections = [];
    globalThis.RTCPeerConnection = class extends Original {
      constructor(...args) {
        super(...args);
        globalThis.connections.push(this);
      }
    };
  });
  await page.goto(`${args.base}/login`);
  const status = await page.evaluate(
    async (keys) => {
      const answer = await fetch("/v1/session", {
        method: "POST",
        body: JSON.stringify(keys),
        headers: { "Content-Type": "application/json" },
      });
      return answer.status;
    },
    { accessKey: args.accessKey, secretKey: args.secretKey },
  );
  if (status >= 300) throw new Error(`log in: ${status}`);
  await page.goto(args.base + path);
  return page;
}

/** Publishes for some seconds from the page of a stream. */
export async function publish(context, args) {
  const facts = { problems: [], status: "" };
  const page = await open(context, args, `/publish/${args.stream}`, facts.problems);
  if (args.codec) await page.getByLabel("Codec").selectOption(args.codec);
  await page.getByLabel("Lines, at most").selectOption("480");
  await page.getByRole("button", { name: "Publish" }).click();
  const status = page.locator(".sent");
  await status
    .filter({ hasText: "On air" })
    .waitFor()
    .catch(async (error) => {
      const alert = await page.getByRole("alert").allTextContents();
      throw new Error(`${await status.textContent()} ${alert}: ${error.message}`);
    });
  await page.waitForTimeout(args.seconds * 1000);
  facts.status = await status.textContent();
  if (args.screenshots)
    await page.screenshot({ path: join(args.screenshots, `publish-${args.stream}.png`) });
  await page.getByRole("button", { name: "Stop" }).click();
  await status.filter({ hasText: "Nothing is sent" }).waitFor();
  await page.waitForTimeout(300); // the DELETE is on its way
  return facts;
}

/** Watches in real time until so many pictures came. */
export async function watch(context, args) {
  const facts = { problems: [], latencies: [] };
  const page = await open(context, args, `/stream/${args.stream}`, facts.problems);
  await page.getByRole("button", { name: "Real time" }).click();
  await page.locator(".real-time[aria-pressed=true]").waitFor();
  await page.getByRole("button", { name: "Sound on" }).click();
  const seen = () =>
    page.evaluate(async () => {
      const video = document.querySelector("video");
      let energy = 0;
      (await globalThis.connections.at(-1)?.getStats())?.forEach((stat) => {
        if (stat.type === "inbound-rtp" && stat.kind === "audio") energy = stat.totalAudioEnergy;
      });
      const quality = video.getVideoPlaybackQuality();
      return {
        frames: quality.totalVideoFrames,
        dropped: quality.droppedVideoFrames,
        energy,
        width: video.videoWidth,
        live: video.srcObject !== null,
        notice: document.querySelector(".notice")?.textContent ?? "",
        because: document.querySelector(".because")?.textContent ?? "",
      };
    });
  const deadline = Date.now() + args.patience * 1000;
  for (;;) {
    Object.assign(facts, await seen());
    const latency = await page
      .locator(".latency")
      .textContent({ timeout: 200 })
      .catch(() => "");
    if (latency.includes(" ms"))
      facts.latencies.push(Number.parseInt(latency.replace("under ", ""), 10));
    if (facts.frames >= args.frames && facts.latencies.length >= 5) break;
    if (Date.now() > deadline) {
      facts.timedOut = true;
      break;
    }
    await page.waitForTimeout(250);
  }
  if (args.screenshots)
    await page.screenshot({ path: join(args.screenshots, `watch-${args.stream}.png`) });
  return facts;
}
