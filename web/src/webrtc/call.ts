import { APIError, streamPath } from "../api/client";
import { ServerClock } from "./clock";
import { Exchange } from "./exchange";

export interface Listener {
  /** The first picture is there, or pictures come again. */
  onPicture: () => void;
  /** It ended; final says that trying again will not help. */
  onEnd: (problem: string, final: boolean) => void;
}

/** A picture that is older than this is not counted as the one on screen, in ms. */
const stale = 2000;

/** How often Weir's clock is learned, in ms. */
const learnEvery = 1000;

/** Watches a stream over WHEP in a video element. */
export class Call {
  private readonly exchange: Exchange;
  private readonly clock = new ServerClock();
  private readonly timer: number;
  private frame = 0;
  private captured: number | undefined; // producer time of the picture on screen, ms
  private shown = 0; // when it came on screen, ms of this page's clock
  private ended = false;

  constructor(
    private readonly video: HTMLVideoElement,
    name: string,
    private readonly listener: Listener,
  ) {
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.exchange = new Exchange(connection, streamPath(name, "/whep"));
    const media = new MediaStream();
    for (const kind of ["video", "audio"]) {
      connection.addTransceiver(kind, { direction: "recvonly" });
    }
    connection.addEventListener("track", (event) => {
      hurry(event.receiver);
      media.addTrack(event.track);
    });
    connection.addEventListener("connectionstatechange", () => {
      if (connection.connectionState === "failed") this.end("The connection was lost.", false);
    });
    video.srcObject = media;
    this.timer = window.setInterval(() => {
      void connection.getStats().then((report) => this.clock.learn(report));
    }, learnEvery);
    this.watch();
    this.exchange.open().catch((cause: unknown) => this.end(...reason(cause)));
  }

  /** How long a picture takes from the camera's clock to the screen, in ms. */
  get latency(): number | undefined {
    if (this.captured === undefined || performance.now() - this.shown > stale) return undefined;
    const captured = this.clock.here(this.captured);
    if (captured === undefined) return undefined;
    return Math.max(0, performance.timeOrigin + this.shown - captured);
  }

  /** The instant that is on screen. */
  get position(): Date | undefined {
    return this.captured === undefined ? undefined : new Date(this.captured);
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    window.clearInterval(this.timer);
    this.video.cancelVideoFrameCallback(this.frame);
    this.video.srcObject = null;
    this.exchange.close();
  }

  private end(problem: string, final: boolean): void {
    if (this.ended) return;
    this.close();
    this.listener.onEnd(problem, final);
  }

  /** Learns from every picture when it was taken. */
  private watch(): void {
    this.frame = this.video.requestVideoFrameCallback((_, picture) => {
      if (this.ended) return;
      this.shown = picture.expectedDisplayTime;
      if (picture.rtpTimestamp !== undefined) {
        this.captured = this.clock.captured(picture.rtpTimestamp);
      }
      this.listener.onPicture();
      this.watch();
    });
  }
}

/** Asks a receiver to hold back as little as it can. */
function hurry(receiver: RTCRtpReceiver): void {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
}

/** Why a session could not be opened, and whether that will stay so. */
function reason(cause: unknown): [string, boolean] {
  if (!(cause instanceof APIError))
    return [`The browser refused the answer: ${String(cause)}`, true];
  switch (cause.status) {
    case 0:
    case 503:
      return [cause.message, false];
    case 404:
      return ["The stream has no media now. It plays as soon as there is some.", false];
  }
  return [cause.message, true];
}
