/** How often everything is read again while no events come, in ms. */
const pollEvery = 5000;

/** How often one stream is read again at most, in ms. */
const pause = 1000;

/**
 * Follows the server's events: calls changed with the name of a stream that
 * should be read again, or with "" for all of them. While the server sends no
 * events it asks for everything every few seconds. Returns what stops it.
 */
export function follow(changed: (name: string) => void): () => void {
  const waiting = new Map<string, number>();
  const source = new EventSource("/v1/events");
  source.addEventListener("stream", (event: MessageEvent<string>) => {
    const name = nameIn(event.data);
    if (waiting.has(name)) return;
    waiting.set(
      name,
      window.setTimeout(() => {
        waiting.delete(name);
        changed(name);
      }, pause),
    );
  });
  source.addEventListener("open", () => changed(""));
  const poll = window.setInterval(() => {
    if (source.readyState !== EventSource.OPEN) changed("");
  }, pollEvery);
  return () => {
    source.close();
    window.clearInterval(poll);
    for (const timer of waiting.values()) window.clearTimeout(timer);
  };
}

function nameIn(data: string): string {
  try {
    return (JSON.parse(data) as { name?: string }).name ?? "";
  } catch {
    return "";
  }
}
