import { useCallback, useEffect, useRef, useState } from "react";
import { api, APIError, explain } from "./client";
import { follow } from "./events";
import type { ServerInfo, Stream } from "./types";

/** All streams, kept up to date. */
export function useStreams() {
  const [streams, setStreams] = useState<Stream[]>();
  const [problem, setProblem] = useState("");
  const refresh = useCallback(async (name = "") => {
    try {
      if (name === "") {
        setStreams(await api.streams());
      } else {
        const one = await readOrGone(name);
        setStreams((list) => replace(list ?? [], name, one));
      }
      setProblem("");
    } catch (failure) {
      setProblem(explain(failure));
    }
  }, []);
  useEffect(() => {
    void refresh();
    return follow((name) => void refresh(name));
  }, [refresh]);
  return { streams, problem, refresh };
}

/** One stream, kept up to date. */
export function useStream(name: string) {
  const [stream, setStream] = useState<Stream>();
  const [problem, setProblem] = useState("");
  const shown = useRef(name);
  shown.current = name;
  const refresh = useCallback(async () => {
    try {
      const one = await api.stream(name);
      if (shown.current !== name) return;
      setStream(one);
      setProblem("");
    } catch (failure) {
      setProblem(explain(failure));
    }
  }, [name]);
  useEffect(() => {
    setStream(undefined);
    void refresh();
    return follow((changed) => {
      if (changed === "" || changed === name) void refresh();
    });
  }, [name, refresh]);
  return { stream, problem, refresh };
}

/** What the server says of itself; undefined until it has. */
export function useServer(): ServerInfo | undefined {
  const [info, setInfo] = useState<ServerInfo>();
  useEffect(() => {
    api.server().then(setInfo, () => setInfo(undefined));
  }, []);
  return info;
}

async function readOrGone(name: string): Promise<Stream | undefined> {
  try {
    return await api.stream(name);
  } catch (failure) {
    if (failure instanceof APIError && failure.status === 404) return undefined;
    throw failure;
  }
}

function replace(list: Stream[], name: string, one: Stream | undefined): Stream[] {
  const others = list.filter((s) => s.name !== name);
  if (one) others.push(one);
  return others.sort((a, b) => (a.name < b.name ? -1 : 1));
}
