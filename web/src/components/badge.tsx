import type { Stream } from "../api/types";

export type Condition = "online" | "connecting" | "idle" | "error" | "offline";

const words: Record<Condition, string> = {
  online: "Online",
  connecting: "Connecting",
  idle: "On demand",
  error: "Error",
  offline: "Offline",
};

/** The condition of a stream in one word. */
export function conditionOf(stream: Stream): Condition {
  if (stream.state.online) return "online";
  const source = stream.state.source;
  if (!source) return "offline";
  if (source.phase === "waiting" && source.lastError) return "error";
  if (source.phase === "idle") return stream.source?.onDemand ? "idle" : "offline";
  return source.lastError ? "error" : "connecting";
}

/** Why a stream is not online, in words, or "". */
export function problemOf(stream: Stream): string {
  if (stream.state.online) return (stream.state.warnings ?? []).join("; ");
  return stream.state.source?.lastError ?? stream.state.lastError ?? "";
}

export function Badge(props: { stream: Stream }) {
  const condition = conditionOf(props.stream);
  return <span className={`badge ${condition}`}>{words[condition]}</span>;
}
