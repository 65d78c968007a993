import type { Stream, Track } from "./api/types";

/** Bytes with a binary unit. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${n >= 100 || unit === 0 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

/** Bits per second. */
export function bitrate(n: number): string {
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)} Mb/s`;
  return `${Math.round(n / 1e3)} kb/s`;
}

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** A time of day, with the date unless it is today. */
export function moment(at: Date): string {
  return (at.toDateString() === new Date().toDateString() ? time : dateTime).format(at);
}

/** How long ago something was. */
export function ago(at: Date): string {
  const seconds = Math.max(0, Math.round((Date.now() - at.getTime()) / 1000));
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

/** A length of time, in words short enough for a button. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const codecNames: Record<string, string> = {
  h264: "H.264",
  h265: "H.265",
  av1: "AV1",
  vp8: "VP8",
  vp9: "VP9",
  mjpeg: "MJPEG",
  aac: "AAC",
  opus: "Opus",
  pcmu: "G.711 µ-law",
  pcma: "G.711 A-law",
};

/** The codec of a track, as people call it. */
export function codec(track: Track): string {
  return codecNames[track.codec.toLowerCase()] ?? track.codec;
}

/** The tracks of a stream in one line. */
export function tracks(stream: Stream): string {
  return (stream.state.tracks ?? [])
    .map((t) => (t.width && t.height ? `${codec(t)} ${t.width}×${t.height}` : codec(t)))
    .join(" · ");
}

/** How long recordings are kept, in words. */
export function retention(stream: Stream): string {
  const { hours, bytes: size } = stream.retention;
  const parts: string[] = [];
  if (hours > 0) parts.push(hours >= 48 ? `${+(hours / 24).toFixed(1)} days` : `${hours} h`);
  if (size > 0) parts.push(bytes(size));
  return parts.length > 0 ? `kept ${parts.join(" or ")}` : "kept until the disk is nearly full";
}
