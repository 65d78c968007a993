import { useEffect, useState } from "react";

/** The pages of the console and their addresses. */
export type Route =
  | { page: "streams" }
  | { page: "stream" | "publish"; name: string }
  | { page: "login" }
  | { page: "unknown" };

export function routeOf(path: string): Route {
  if (path === "/") return { page: "streams" };
  if (path === "/login") return { page: "login" };
  const [, page, name] = /^\/(stream|publish)\/([^/]+)\/?$/.exec(path) ?? [];
  if (name !== undefined) {
    return { page: page === "publish" ? "publish" : "stream", name: decode(name) };
  }
  return { page: "unknown" };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function pathOf(name: string, page: "stream" | "publish" = "stream"): string {
  return `/${page}/${encodeURIComponent(name)}`;
}

const moved = "weir:moved";

/** Goes to another page without loading it anew. */
export function go(path: string, replace = false): void {
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  window.dispatchEvent(new Event(moved));
  window.scrollTo(0, 0);
}

/** The page that the address names. */
export function useRoute(): Route {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const update = () => setPath(location.pathname);
    window.addEventListener("popstate", update);
    window.addEventListener(moved, update);
    return () => {
      window.removeEventListener("popstate", update);
      window.removeEventListener(moved, update);
    };
  }, []);
  return routeOf(path);
}
