// Drives one Chromium for the Go test: reads a command a line from standard
// input, {"id", "action", "args"}, and answers each with a line, {"id",
// "result"} or {"id", "error"}. Commands run at the same time. It ends when
// its input does.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { channel } from "./channel.mjs";
import { journey } from "./console.mjs";
import { play } from "./players.mjs";
import { publish, watch } from "./webrtc.mjs";

const actions = { play, journey, publish, watch, channel };

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: flags,
});

async function answer({ id, action, args }) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  let reply;
  try {
    reply = { id, result: await actions[action](context, args) };
  } catch (error) {
    reply = { id, error: error.stack ?? String(error) };
  }
  await context.close();
  process.stdout.write(JSON.stringify(reply) + "\n");
}

const running = [];
for await (const line of createInterface({ input: process.stdin })) {
  running.push(answer(JSON.parse(line)));
}
await Promise.all(running);
await browser.close();
