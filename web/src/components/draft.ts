import type { Definition, Stream } from "../api/types";

/** The fields of the stream form, as the user types them. */
export interface Draft {
  name: string;
  way: "pull" | "push";
  url: string;
  username: string;
  password: string;
  transport: string;
  onDemand: boolean;
  insecure: boolean;
  hours: string;
  gigabytes: string;
  container: string;
  record: boolean;
  takeover: boolean;
  publishPassword: string;
}

const gigabyte = 1e9;

/** The form for a new stream, or for one that is there. */
export function draftOf(stream?: Stream): Draft {
  const source = stream?.source;
  return {
    name: stream?.name ?? "",
    way: stream && !source ? "push" : "pull",
    url: source?.url ?? "",
    username: source?.username ?? "",
    password: source?.password ?? "",
    transport: source?.transport ?? "auto",
    onDemand: source?.onDemand ?? false,
    insecure: source?.insecure ?? false,
    hours: stream ? text(stream.retention.hours) : "",
    gigabytes: stream ? text(stream.retention.bytes / gigabyte) : "",
    container: stream?.container ?? "mp4",
    record: stream?.record ?? true,
    takeover: stream?.takeover ?? false,
    publishPassword: stream?.publishPassword ?? "",
  };
}

function text(n: number): string {
  return n === 0 ? "" : String(+n.toFixed(3));
}

/** The definition that a form stands for; what the form does not show stays. */
export function definitionOf(draft: Draft, stream?: Stream): Definition {
  const definition: Definition = {
    name: draft.name.trim(),
    container: draft.container,
    record: draft.record,
    takeover: draft.takeover,
    publishPassword: draft.publishPassword,
  };
  if (draft.hours !== "" || draft.gigabytes !== "" || stream) {
    definition.retention = {
      hours: Number(draft.hours),
      bytes: Math.round(Number(draft.gigabytes) * gigabyte),
    };
  }
  if (stream?.fragmentSeconds !== undefined) definition.fragmentSeconds = stream.fragmentSeconds;
  if (stream?.chunkSeconds !== undefined) definition.chunkSeconds = stream.chunkSeconds;
  if (stream?.playPassword !== undefined) definition.playPassword = stream.playPassword;
  if (draft.way === "pull") {
    definition.source = {
      ...(stream?.source?.fingerprint ? { fingerprint: stream.source.fingerprint } : {}),
      url: draft.url.trim(),
      username: draft.username,
      password: draft.password,
      transport: draft.transport,
      onDemand: draft.onDemand,
      insecure: draft.insecure,
    };
  }
  return definition;
}
