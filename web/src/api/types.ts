// The shapes of the native API, as far as the console uses them.

/** Where a stream is pulled from. */
export interface Source {
  url: string;
  username?: string;
  password?: string;
  transport: string;
  onDemand?: boolean;
  fingerprint?: string;
  insecure?: boolean;
}

/** How long recordings are kept; 0 is no limit. */
export interface Retention {
  hours: number;
  bytes: number;
}

/** What a user says of a stream: the body of PUT. */
export interface Definition {
  name: string;
  source?: Source;
  retention?: Retention;
  container?: string;
  fragmentSeconds?: number;
  chunkSeconds?: number;
  record?: boolean;
  takeover?: boolean;
  publishPassword?: string;
  playPassword?: string;
}

export interface Track {
  id: number;
  kind: string;
  codec: string;
  codecString?: string;
  width?: number;
  height?: number;
  sampleRate?: number;
  channels?: number;
}

/** What a supervised pull does. */
export interface SourceState {
  phase: "idle" | "connecting" | "online" | "waiting";
  since?: string;
  attempts?: number;
  lastError?: string;
  nextAttempt?: string;
}

/** Somebody who watches over WebRTC. */
export interface Viewer {
  remote?: string;
  since: string;
  protocol?: string;
  video?: string;
  audio?: string;
  /** What was done to what he gets, and why. */
  note?: string;
}

export interface StreamState {
  online: boolean;
  producer?: string;
  remote?: string;
  since?: string;
  tracks?: Track[];
  bitrate: number;
  readers: number;
  viewers?: Viewer[];
  warnings?: string[];
  lastError?: string;
  recording: {
    bytes: number;
    chunks: number;
    lastEnd?: string;
    waitingForStore: number;
  };
  source?: SourceState;
}

/** A stream as GET shows it. */
export interface Stream extends Definition {
  id: string;
  created: string;
  changed: string;
  retention: Retention;
  container: string;
  record: boolean;
  state: StreamState;
}

export interface Span {
  start: string;
  end: string;
  bytes: number;
  fragments: number;
}

export interface Timeline {
  start: string;
  end: string;
  spans: Span[];
}

export interface Session {
  name: string;
  kind: string;
}

export interface ServerInfo {
  version: string;
  rtsp?: string;
}
