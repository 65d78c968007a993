// The way of a new user through the console: the one-time link, the list, a
// live camera, back in time, a clip, a new stream, and out again.
import { join } from "node:path";

/** Everything that goes wrong in a page without anybody looking. */
async function watch(page) {
  const problems = [];
  page.on("pageerror", (error) => problems.push(`page error: ${error}`));
  page.on("console", (message) => {
    // A refused login is part of the journey.
    if (message.type() === "error" && !message.text().includes("401")) {
      problems.push(`console: ${message.text()} ${message.location().url}`);
    }
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  return problems;
}

export async function journey(context, args) {
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems = await watch(page);
  const facts = { steps: [], problems };
  const shot = (name) => page.screenshot({ path: join(args.screenshots, `${name}.png`) });
  const step = async (name, walk) => {
    try {
      await walk();
      facts.steps.push(name);
    } catch (error) {
      await shot("failed");
      throw new Error(`${name}: ${error.message}\n${problems.join("\n")}`);
    }
  };

  await step("the link logs in", async () => {
    await page.goto(args.link);
    await page.getByRole("link", { name: args.stream, exact: true }).waitFor();
    if (page.url().includes("link")) throw new Error(`the secret is left in ${page.url()}`);
    await page.locator("tr", { hasText: args.stream }).getByText("Online").waitFor();
    await shot("streams");
  });
  await step("the camera plays live", () => live(page, args, facts, shot));
  await step("back in time", () => back(page, facts, shot));
  await step("live again", () => liveAgain(page));
  await step("a clip", () => clip(page, args, facts, shot));
  await step("a stream is added, changed and deleted", () => streams(page, shot));
  await step("a phone", () => phone(page, args, facts, shot));
  await step("out and in again", () => outAndIn(page, args, shot));
  return facts;
}

const seconds = (text) => new Date(text).getTime() / 1000;

async function position(page) {
  return seconds(await page.locator("time.clock").getAttribute("datetime"));
}

/** Waits until the picture has moved on by some seconds. */
async function advances(page, by) {
  await page.waitForFunction(() => (document.querySelector("video")?.readyState ?? 0) >= 3);
  const from = await page.evaluate(() => document.querySelector("video").currentTime);
  await page.waitForFunction(
    ([from, by]) => document.querySelector("video").currentTime >= from + by,
    [from, by],
  );
}

async function live(page, args, facts, shot) {
  await page.getByRole("link", { name: args.stream, exact: true }).click();
  await advances(page, 3);
  facts.latency = await page.locator(".latency").textContent();
  facts.frames = await page.evaluate(
    () => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames,
  );
  await shot("live");
}

/** Zooms until a pixel is a fraction of a second, and tells the timeline's box. */
async function zoomIn(page) {
  await page.getByRole("button", { name: "10 min" }).click();
  for (let i = 0; i < 4; i++) await page.getByRole("button", { name: "Zoom in" }).click();
  await page.locator("rect.recorded").first().waitFor();
  return page.getByRole("slider", { name: "Recorded timeline" }).boundingBox();
}

/** The x of an instant some seconds ago: the view spans a minute and ends a little after now. */
async function ago(page, box, seconds) {
  const now = Number(await page.locator("line.now").getAttribute("x1"));
  return { x: box.x + now - (seconds / 60) * box.width, y: box.y + box.height / 2 };
}

async function back(page, facts, shot) {
  const box = await zoomIn(page);
  const target = await ago(page, box, 15);
  const wanted = Date.now() / 1000 - 15;
  await page.mouse.move(target.x, target.y);
  facts.hover = await page.locator(".hover-time").textContent();
  await page.mouse.click(target.x, target.y);
  await page.locator(".live-button[aria-pressed=false]").waitFor();
  await advances(page, 0.5);
  facts.backBy = wanted - (await position(page)); // seconds, less what was played since
  await page.getByLabel("Speed").selectOption("4");
  await page.waitForFunction(() => document.querySelector("video").playbackRate === 4);
  await page.getByLabel("Speed").selectOption("1");
  await advances(page, 1);
  await shot("recorded");
}

async function liveAgain(page) {
  await page.getByRole("button", { name: "Live", exact: true }).click();
  await page.locator(".latency").waitFor();
  await advances(page, 1);
}

async function clip(page, args, facts, shot) {
  const box = await zoomIn(page);
  const from = await ago(page, box, 14);
  const to = await ago(page, box, 8);
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(to.x, to.y, { steps: 5 });
  await page.mouse.up();
  const link = page.getByRole("link", { name: "Download MP4" });
  await link.waitFor();
  await shot("clip");
  const query = new URL(await link.getAttribute("href"), page.url()).searchParams;
  facts.clipSeconds = seconds(query.get("end")) - seconds(query.get("start"));
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  facts.clipName = download.suggestedFilename();
  facts.clip = join(args.downloads, "clip.mp4");
  await download.saveAs(facts.clip);
}

async function streams(page, shot) {
  await page.getByRole("navigation").getByRole("link", { name: "Streams" }).click();
  await page.getByRole("button", { name: "Add stream" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill("garden");
  await dialog.getByText("A producer pushes it").click();
  await dialog.getByText("ffmpeg -re", { exact: false }).waitFor();
  await shot("push");
  await dialog.getByText("Weir pulls it").click();
  await dialog.getByLabel("Address of the camera").fill("rtsp://127.0.0.1:1/none");
  await shot("pull");
  await dialog.getByRole("button", { name: "Add stream" }).click();
  const row = page.locator("tr", { hasText: "garden" });
  await row.getByText("Error").waitFor();
  await shot("error");
  await row.getByRole("button", { name: "Edit" }).click();
  await dialog.getByLabel("Keep for, hours").fill("72");
  await dialog.getByRole("button", { name: "Save" }).click();
  await row.getByText("kept 3 days").waitFor();
  await row.getByRole("button", { name: "Delete" }).click();
  await dialog.getByLabel("Name of the stream").fill("gard");
  const remove = dialog.getByRole("button", { name: "Delete stream" });
  if (await remove.isEnabled()) throw new Error("half a name is enough to delete");
  await dialog.getByLabel("Name of the stream").fill("garden");
  await remove.click();
  await row.waitFor({ state: "detached" });
}

async function phone(page, args, facts, shot) {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 390, height: 844 });
  facts.overflow = [];
  const fits = async (name) => {
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 390) facts.overflow.push(`${name} is ${width} px wide`);
    await shot(`phone-${name}`);
  };
  await fits("streams");
  await page.getByRole("button", { name: "Add stream" }).click();
  await fits("add");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: args.stream, exact: true }).click();
  await advances(page, 1);
  await fits("live");
  await page.setViewportSize({ width: 1280, height: 900 });
  await shot("dark");
}

async function outAndIn(page, args, shot) {
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("Access key").fill(args.accessKey);
  await page.getByLabel("Secret key").fill("wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await shot("login");
  await page.getByLabel("Secret key").fill(args.secretKey);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("link", { name: args.stream, exact: true }).waitFor();
}
