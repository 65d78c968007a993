// The texts that WHIP and WHEP exchange beside offer and answer (RFC 9725).

/** One line of an SDP, without its prefix; undefined if there is none. */
export function attribute(sdp: string, name: string): string | undefined {
  return new RegExp(`^a=${name}:(.*?)\r?$`, "m").exec(sdp)?.[1];
}

/**
 * Candidates as a PATCH carries them: an SDP fragment (RFC 8840). The media are
 * bundled, so that all candidates belong to the first one.
 */
export function candidateFragment(offer: string, candidates: string[], complete: boolean): string {
  const media = /^m=.*$/m.exec(offer)?.[0].trim() ?? "";
  const lines = [
    `a=ice-ufrag:${attribute(offer, "ice-ufrag")}`,
    `a=ice-pwd:${attribute(offer, "ice-pwd")}`,
    media,
    `a=mid:${attribute(offer, "mid")}`,
    ...candidates.map((candidate) => `a=${candidate}`),
  ];
  if (complete) lines.push("a=end-of-candidates");
  return lines.join("\r\n") + "\r\n";
}

/** The STUN and TURN servers that an answer's Link headers announce. */
export function iceServers(link: string | null): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  for (const entry of (link ?? "").matchAll(/<([^>]+)>((?:\s*;\s*[\w-]+="?[^";,]*"?)*)/g)) {
    const [, url = "", rest = ""] = entry;
    const parameter = (name: string) => new RegExp(`${name}="?([^";]*)"?`).exec(rest)?.[1];
    if (parameter("rel") !== "ice-server") continue;
    const server: RTCIceServer = { urls: url };
    const username = parameter("username");
    const credential = parameter("credential");
    if (username !== undefined) server.username = username;
    if (credential !== undefined) server.credential = credential;
    servers.push(server);
  }
  return servers;
}
