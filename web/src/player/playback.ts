import Hls, { ErrorTypes, Events, type ErrorData, type HlsConfig } from "hls.js";
import { streamPath, windowQuery } from "../api/client";
import { Call } from "../webrtc/call";
import { problemIn } from "./problem";

/** How live media comes: in segments, or picture by picture over WebRTC. */
export type Via = "hls" | "webrtc";

/** What is played: the live edge, or recordings from an instant on. */
export type Mode =
  /** because says why it is not the way that was asked for. */
  { kind: "live"; via: Via; because?: string } | { kind: "recorded"; start: Date };

export interface Listener {
  /** What is played has changed. */
  onMode: (mode: Mode) => void;
  /** Something keeps the media from playing, in words; "" when it is over. */
  onProblem: (problem: string) => void;
}

/**
 * How much of the past one playlist covers. What is older than this is played
 * in pieces of it, one after the other; what is newer runs on to live.
 */
const reach = 2 * 3600 * 1000;

/** How long to wait before the live edge is tried again, in ms. */
const retryAfter = 2000;

/** A second media error within this many ms is not recovered from. */
const recoverPause = 5000;

/** How far before its end a recording may stall and count as ended, in s. */
const endSlack = 0.5;

/** Beyond this many ms the picture is not live any more. */
const farthest = 60_000;

/** Where the browser keeps how its user watches live. */
const preference = "weir:live";

function preferred(): Via {
  const webrtc = "RTCPeerConnection" in window && localStorage.getItem(preference) === "webrtc";
  return webrtc ? "webrtc" : "hls";
}

const common: Partial<HlsConfig> = {
  // The segments are MP4 already: a worker would have nothing to convert, and
  // would need a script address that the page's policy does not allow.
  enableWorker: false,
  backBufferLength: 60,
};

/** Plays one stream in a video element, live or from any instant. */
export class Playback {
  private hls: Hls | undefined;
  private call: Call | undefined;
  private via: Via = preferred();
  private mode: Mode = { kind: "live", via: this.via };
  private pieceEnd: Date | undefined;
  private retry = 0;
  private recovered = -Infinity;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly name: string,
    private readonly listener: Listener,
  ) {
    video.addEventListener("ended", this.onEnded);
    video.addEventListener("waiting", this.onWaiting);
  }

  /** Plays the live edge, the way that was chosen last. */
  live(via: Via = this.via): void {
    if (via !== this.via) {
      this.via = via;
      localStorage.setItem(preference, via);
    }
    this.pieceEnd = undefined;
    this.video.playbackRate = 1;
    if (via === "webrtc") this.openCall();
    else this.openLive();
  }

  private openLive(because = ""): void {
    this.mode = { kind: "live", via: "hls", because };
    this.open("", { lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.25 });
  }

  /** Watches over WebRTC; what that cannot carry plays in segments. */
  private openCall(): void {
    this.close();
    this.mode = { kind: "live", via: "webrtc" };
    this.listener.onMode(this.mode);
    this.listener.onProblem("");
    this.call = new Call(this.video, this.name, {
      onPicture: () => this.listener.onProblem(""),
      onEnd: (problem, final) => {
        this.call = undefined;
        if (final) {
          this.openLive(problem);
          return;
        }
        this.listener.onProblem(problem);
        this.retry = window.setTimeout(() => this.again(), retryAfter);
      },
    });
    this.start();
  }

  /** How far the picture is behind the camera's clock, in ms. */
  latency(): number | undefined {
    if (this.call) return this.call.latency;
    const at = this.mode.kind === "live" ? this.position() : undefined;
    const behind = at && Date.now() - at.getTime();
    return behind === undefined || behind > farthest ? undefined : Math.max(0, behind);
  }

  /** Plays what was recorded from an instant on. */
  from(start: Date): void {
    if (Date.now() - start.getTime() < 1000) {
      this.live();
      return;
    }
    if (this.seekWithin(start)) return;
    const end = new Date(start.getTime() + reach);
    this.pieceEnd = end.getTime() < Date.now() ? end : undefined;
    this.mode = { kind: "recorded", start };
    this.open(windowQuery(start, this.pieceEnd), { lowLatencyMode: false });
  }

  /** Moves by some seconds; beyond the live edge lies live. */
  skip(seconds: number): void {
    const at = this.position();
    if (at) this.from(new Date(at.getTime() + seconds * 1000));
  }

  /** The instant that is on screen. */
  position(): Date | undefined {
    if (this.call) return this.call.position;
    if (this.hls) return this.hls.playingDate ?? undefined;
    const start = (this.video as { getStartDate?: () => Date }).getStartDate?.();
    if (!start || Number.isNaN(start.getTime())) return undefined;
    return new Date(start.getTime() + this.video.currentTime * 1000);
  }

  destroy(): void {
    this.video.removeEventListener("ended", this.onEnded);
    this.video.removeEventListener("waiting", this.onWaiting);
    this.close();
  }

  private close(): void {
    window.clearTimeout(this.retry);
    this.hls?.destroy();
    this.hls = undefined;
    this.call?.close();
    this.call = undefined;
  }

  private open(query: string, config: Partial<HlsConfig>): void {
    this.close();
    this.listener.onMode(this.mode);
    this.listener.onProblem("");
    const address = streamPath(this.name, "/hls/index.m3u8") + query;
    if (!Hls.isSupported()) {
      this.openNative(address);
      return;
    }
    const hls = new Hls({ ...common, ...config });
    this.hls = hls;
    hls.on(Events.ERROR, (_, data) => this.onError(hls, data));
    hls.on(Events.FRAG_BUFFERED, () => this.listener.onProblem(""));
    hls.loadSource(address);
    hls.attachMedia(this.video);
    hls.once(Events.MANIFEST_PARSED, () => this.start());
  }

  /** Uses the browser's own player, where there are no media source extensions. */
  private openNative(address: string): void {
    if (this.video.canPlayType("application/vnd.apple.mpegurl") === "") {
      this.listener.onProblem("This browser can play neither HLS nor media source extensions.");
      return;
    }
    this.video.src = address;
    this.start();
  }

  private start(): void {
    // A browser may refuse to start by itself; the play button then does it.
    this.video.play().catch(() => undefined);
  }

  /** Seeks in what is loaded already, where the instant lies in it. */
  private seekWithin(at: Date): boolean {
    if (this.mode.kind === "live" || !this.hls) return false;
    const level = this.hls.levels[Math.max(this.hls.currentLevel, 0)];
    for (const fragment of level?.details?.fragments ?? []) {
      if (fragment.programDateTime === null) continue;
      const offset = (at.getTime() - fragment.programDateTime) / 1000;
      if (offset < 0 || offset >= fragment.duration) continue;
      this.video.currentTime = fragment.start + offset;
      this.start();
      return true;
    }
    return false;
  }

  private readonly onEnded = (): void => {
    const next = this.pieceEnd;
    if (next) this.from(next);
    else this.live();
  };

  /**
   * Takes a stall at the very end for the end: behind a gap, hls.js does not
   * tell the video that nothing follows where the sound is a little shorter.
   */
  private readonly onWaiting = (): void => {
    const details = this.hls?.levels[Math.max(this.hls.currentLevel, 0)]?.details;
    if (details && !details.live && this.video.currentTime >= details.edge - endSlack) {
      this.onEnded();
    }
  };

  private onError(hls: Hls, data: ErrorData): void {
    if (!data.fatal || this.hls !== hls) return;
    if (data.type === ErrorTypes.MEDIA_ERROR && performance.now() - this.recovered > recoverPause) {
      this.recovered = performance.now();
      hls.recoverMediaError();
      return;
    }
    const problem = problemIn(data, this.mode.kind === "live");
    this.listener.onProblem(problem.text);
    this.close();
    if (problem.passing) {
      this.retry = window.setTimeout(() => this.again(), retryAfter);
    }
  }

  private again(): void {
    const mode = this.mode;
    if (mode.kind === "live") this.live();
    else this.from(mode.start);
  }
}
