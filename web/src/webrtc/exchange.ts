import { APIError, errorOf } from "../api/client";
import { candidateFragment, iceServers } from "./fragment";

/** How long candidates are gathered before they are sent together, in ms. */
const gatherPause = 50;

/**
 * The HTTP side of a WHIP or WHEP session: offer and answer, candidates as they
 * are found, and the end.
 */
export class Exchange {
  private session: URL | undefined;
  private etag = "";
  private offer = "";
  private pending: string[] = [];
  private complete = false;
  private timer = 0;
  private closed = false;

  constructor(
    readonly connection: RTCPeerConnection,
    private readonly address: string,
  ) {
    connection.addEventListener("icecandidate", this.onCandidate);
  }

  /**
   * Offers what the connection has and takes the answer. The offer goes out
   * before candidates are gathered, so that the servers which the answer
   * announces are asked for some.
   */
  async open(): Promise<void> {
    const offer = await this.connection.createOffer();
    this.offer = offer.sdp ?? "";
    const answer = await this.request(this.address, "POST", "application/sdp", this.offer);
    if (answer.status !== 201) throw await errorOf(answer);
    this.session = new URL(
      answer.headers.get("Location") ?? "",
      new URL(this.address, location.href),
    );
    this.etag = answer.headers.get("ETag") ?? "";
    if (this.closed) {
      await this.end();
      return;
    }
    const servers = iceServers(answer.headers.get("Link"));
    if (servers.length > 0) {
      this.connection.setConfiguration({
        ...this.connection.getConfiguration(),
        iceServers: servers,
      });
    }
    await this.connection.setLocalDescription(offer);
    await this.connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  }

  /** Ends the session here and there. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    window.clearTimeout(this.timer);
    void this.end();
  }

  /** Says goodbye first: a connection that closes ends the session as well. */
  private async end(): Promise<void> {
    if (this.session) {
      // The page may be on its way out: keepalive lets the request outlive it.
      const request = { method: "DELETE", credentials: "same-origin", keepalive: true } as const;
      await fetch(this.session, request).catch(() => undefined);
    }
    this.connection.close();
  }

  private readonly onCandidate = (event: RTCPeerConnectionIceEvent): void => {
    if (event.candidate?.candidate) this.pending.push(event.candidate.candidate);
    else this.complete = true;
    if (this.timer === 0) this.timer = window.setTimeout(() => void this.trickle(), gatherPause);
  };

  private async trickle(): Promise<void> {
    this.timer = 0;
    if (!this.session || this.closed) return;
    const fragment = candidateFragment(this.offer, this.pending.splice(0), this.complete);
    try {
      const headers = this.etag === "" ? {} : { "If-Match": this.etag };
      await this.request(
        this.session,
        "PATCH",
        "application/trickle-ice-sdpfrag",
        fragment,
        headers,
      );
    } catch {
      // The candidates of the server may do; if not, the connection fails.
    }
  }

  private async request(
    address: string | URL,
    method: string,
    type: string,
    body: string,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    try {
      return await fetch(address, {
        method,
        body,
        credentials: "same-origin",
        headers: { "Content-Type": type, ...headers },
      });
    } catch {
      throw new APIError(0, "unreachable", "Weir does not answer; is it running?");
    }
  }
}
