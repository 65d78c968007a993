/** How long one turn of RTP time at 90 kHz takes, in ms: 13 hours. */
const turn = 2 ** 32 / 90;

/** How many measurements of the offset are kept. */
const kept = 9;

/**
 * The clock of Weir, as a page that watches learns it. The RTP time of a picture
 * is producer time at 90 kHz, of which the low 32 bits travel; sender reports
 * tell Weir's time, and when they came.
 */
export class ServerClock {
  private offsets: number[] = []; // this page's time less Weir's, ms

  /** Takes the reports of a connection. */
  learn(report: RTCStatsReport): void {
    let roundTrip = 0;
    let came: number | undefined;
    let said: number | undefined;
    report.forEach((stat) => {
      if (stat.type === "candidate-pair" && stat.nominated) {
        roundTrip = (stat.currentRoundTripTime ?? 0) * 1000;
      }
      if (stat.type === "remote-outbound-rtp" && stat.kind === "video") {
        came = stat.timestamp;
        said = stat.remoteTimestamp;
      }
    });
    if (came === undefined || said === undefined) return;
    this.offsets.push(came - said - roundTrip / 2);
    if (this.offsets.length > kept) this.offsets.shift();
  }

  /** The producer time of a picture, in ms since the epoch. */
  captured(rtpTimestamp: number, now = Date.now()): number {
    const low = rtpTimestamp / 90;
    return low + Math.round((now - low) / turn) * turn;
  }

  /** This page's time at a time of Weir, both in ms since the epoch. */
  here(time: number): number | undefined {
    if (this.offsets.length === 0) return undefined;
    const sorted = [...this.offsets].sort((a, b) => a - b);
    return time + (sorted[sorted.length >> 1] ?? 0);
  }
}
