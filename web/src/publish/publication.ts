import { streamPath } from "../api/client";
import { Exchange } from "../webrtc/exchange";
import { prefer } from "./capture";

/** What is being sent. */
export interface Sent {
  state: RTCPeerConnectionState;
  /** Bits per second, of the last second. */
  bitrate: number;
  width: number;
  height: number;
  framesPerSecond: number;
  codec: string;
  /** From here to Weir and back, in ms. */
  roundTrip: number | undefined;
  /** Share of the packets that were lost, of the last second. */
  lost: number;
}

/** How often what is sent is told, in ms. */
const interval = 1000;

/** Publishes a picture and its sound over WHIP. */
export class Publication {
  private readonly exchange: Exchange;
  private readonly connection: RTCPeerConnection;
  private readonly timer: number;
  private before = { bytes: 0, at: 0 };
  private ended = false;

  constructor(
    name: string,
    private readonly media: MediaStream,
    codec: string,
    private readonly onSent: (sent: Sent) => void,
    private readonly onEnd: (problem: string) => void,
  ) {
    this.connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.exchange = new Exchange(this.connection, streamPath(name, "/whip"));
    for (const track of media.getTracks()) {
      const transceiver = this.connection.addTransceiver(track, {
        direction: "sendonly",
        streams: [media],
      });
      if (track.kind === "video") prefer(transceiver, codec);
      // The browser's own "stop sharing", or a camera that is pulled out.
      track.addEventListener("ended", () => this.end(""));
    }
    this.connection.addEventListener("connectionstatechange", () => {
      if (this.connection.connectionState === "failed") this.end("The connection was lost.");
    });
    this.exchange.open().catch((cause: unknown) => {
      this.end(cause instanceof Error ? cause.message : String(cause));
    });
    this.timer = window.setInterval(() => void this.measure(), interval);
  }

  /** Stops publishing, and lets go of camera and microphone. */
  close(): void {
    if (this.ended) return;
    this.ended = true;
    window.clearInterval(this.timer);
    this.exchange.close();
    for (const track of this.media.getTracks()) track.stop();
  }

  private end(problem: string): void {
    if (this.ended) return;
    this.close();
    this.onEnd(problem);
  }

  private async measure(): Promise<void> {
    const report = await this.connection.getStats();
    if (this.ended) return;
    const sent: Sent = {
      state: this.connection.connectionState,
      bitrate: 0,
      width: 0,
      height: 0,
      framesPerSecond: 0,
      codec: "",
      roundTrip: undefined,
      lost: 0,
    };
    let bytes = 0;
    report.forEach((stat) => {
      if (stat.type === "outbound-rtp") bytes += stat.bytesSent;
      if (stat.type === "outbound-rtp" && stat.kind === "video") {
        sent.width = stat.frameWidth ?? 0;
        sent.height = stat.frameHeight ?? 0;
        sent.framesPerSecond = stat.framesPerSecond ?? 0;
        sent.codec = report.get(stat.codecId)?.mimeType?.replace("video/", "") ?? "";
      }
      if (stat.type === "remote-inbound-rtp" && stat.kind === "video") {
        sent.lost = stat.fractionLost ?? 0;
        if (stat.roundTripTime !== undefined) sent.roundTrip = stat.roundTripTime * 1000;
      }
    });
    const now = performance.now();
    if (this.before.at > 0) {
      sent.bitrate = ((bytes - this.before.bytes) * 8000) / (now - this.before.at);
    }
    this.before = { bytes, at: now };
    this.onSent(sent);
  }
}
