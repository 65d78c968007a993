import type { Definition, ServerInfo, Session, Stream, Timeline } from "./types";

/** An answer of the API that is not what was asked for. */
export class APIError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

/** Where the page goes when the session has ended. */
let onSignedOut: () => void = () => {};

export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

interface Request {
  method?: string;
  body?: unknown;
  signal?: AbortSignal;
}

async function call<T>(path: string, request: Request = {}): Promise<T> {
  const init: RequestInit = { method: request.method ?? "GET", credentials: "same-origin" };
  if (request.signal) init.signal = request.signal;
  if (request.body !== undefined) {
    init.body = JSON.stringify(request.body);
    init.headers = { "Content-Type": "application/json" };
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (cause) {
    if (request.signal?.aborted) throw cause;
    throw new APIError(0, "unreachable", "Weir does not answer; is it running?");
  }
  if (response.ok) {
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
  const problem = await errorOf(response);
  if (response.status === 401 && path !== "/v1/session") onSignedOut();
  throw problem;
}

/** Reads the error out of an answer. */
export async function errorOf(response: Response): Promise<APIError> {
  try {
    const { error } = (await response.json()) as {
      error: { code: string; message: string; field?: string };
    };
    return new APIError(response.status, error.code, error.message, error.field);
  } catch {
    return new APIError(response.status, "unknown", `Weir answered ${response.status}`);
  }
}

/** The address of a stream in the API, and of what lies below it. */
export function streamPath(name: string, below = ""): string {
  return `/v1/video/${encodeURIComponent(name)}${below}`;
}

/** The query of a stretch of time. */
export function windowQuery(start?: Date, end?: Date): string {
  const query = new URLSearchParams();
  if (start) query.set("start", start.toISOString());
  if (end) query.set("end", end.toISOString());
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

export const api = {
  session: () => call<Session>("/v1/session"),
  loginWithLink: (link: string) => call<unknown>("/v1/session", { method: "POST", body: { link } }),
  loginWithKey: (accessKey: string, secretKey: string) =>
    call<unknown>("/v1/session", { method: "POST", body: { accessKey, secretKey } }),
  logout: () => call<unknown>("/v1/session", { method: "DELETE" }),
  server: () => call<ServerInfo>("/v1/server"),
  streams: async () => (await call<{ streams: Stream[] }>("/v1/video")).streams,
  stream: (name: string) => call<Stream>(streamPath(name)),
  save: (definition: Definition) =>
    call<Stream>(streamPath(definition.name), { method: "PUT", body: definition }),
  remove: (name: string) => call<unknown>(streamPath(name), { method: "DELETE" }),
  timeline: (name: string, start: Date, end: Date, signal: AbortSignal) =>
    call<Timeline>(streamPath(name, "/timeline") + windowQuery(start, end), { signal }),
};

/** What to tell the user of a failure. */
export function explain(problem: unknown): string {
  if (problem instanceof APIError && problem.field) return `${problem.field} ${problem.message}`;
  return problem instanceof Error ? problem.message : String(problem);
}
