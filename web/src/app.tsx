import { useEffect, useState } from "react";
import { api, whenSignedOut } from "./api/client";
import type { Session } from "./api/types";
import { Header } from "./components/header";
import { Link } from "./components/link";
import { LoginPage } from "./pages/login";
import { PublishPage } from "./pages/publish";
import { StreamPage } from "./pages/stream";
import { StreamsPage } from "./pages/streams";
import { go, useRoute } from "./routes";

/** The console: who is there, and the page that the address names. */
export function App() {
  const route = useRoute();
  const [session, setSession] = useState<Session | null>();
  useEffect(() => {
    whenSignedOut(() => setSession(null));
    api.session().then(setSession, () => setSession(null));
  }, []);
  useEffect(() => {
    if (session === null && route.page !== "login") go("/login", true);
  }, [session, route.page]);

  if (route.page === "login") {
    return (
      <LoginPage
        onLogin={async () => {
          setSession(await api.session());
          go("/", true);
        }}
      />
    );
  }
  if (!session) return <main className="waiting" aria-busy="true" />;
  return (
    <>
      <Header
        session={session}
        onLogout={async () => {
          await api.logout();
          setSession(null);
        }}
      />
      <main>
        {route.page === "streams" && <StreamsPage />}
        {route.page === "stream" && <StreamPage key={route.name} name={route.name} />}
        {route.page === "publish" && <PublishPage key={route.name} name={route.name} />}
        {route.page === "unknown" && (
          <p className="empty">
            There is no such page. <Link to="/">All streams</Link>
          </p>
        )}
      </main>
    </>
  );
}
