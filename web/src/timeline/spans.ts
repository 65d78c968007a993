import { useEffect, useState } from "react";
import { api } from "../api/client";
import type { Span } from "../api/types";
import type { View } from "./scale";

/** A stretch that was recorded, in epoch ms. */
export interface Recorded {
  start: number;
  end: number;
  bytes: number;
}

/** How often the end of a timeline that follows the clock is read, in ms. */
const refreshEvery = 3000;

/** How long a view must stand still before it is read, in ms. */
const settle = 150;

/** What was recorded within a view, and a little around it. */
export function useSpans(name: string, view: View): Recorded[] {
  const [spans, setSpans] = useState<Recorded[]>([]);
  const { end, span } = view;
  useEffect(() => {
    const stop = new AbortController();
    const read = async () => {
      const until = end ?? Date.now();
      try {
        const found = await api.timeline(
          name,
          new Date(until - 2 * span),
          new Date(until + span),
          stop.signal,
        );
        setSpans(found.spans.map(recorded));
      } catch {
        // What is shown stays: the page tells elsewhere that the server is gone.
      }
    };
    const first = window.setTimeout(() => void read(), settle);
    const again = window.setInterval(() => void read(), refreshEvery);
    return () => {
      stop.abort();
      window.clearTimeout(first);
      window.clearInterval(again);
    };
  }, [name, end, span]);
  return spans;
}

function recorded(span: Span): Recorded {
  return { start: Date.parse(span.start), end: Date.parse(span.end), bytes: span.bytes };
}

/** How much of a stretch was recorded, in ms. */
export function recordedWithin(spans: Recorded[], start: number, end: number): number {
  let sum = 0;
  for (const s of spans) sum += Math.max(0, Math.min(s.end, end) - Math.max(s.start, start));
  return sum;
}
