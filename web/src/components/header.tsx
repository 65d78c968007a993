import { useServer } from "../api/hooks";
import type { Session } from "../api/types";
import { Link } from "./link";

/** The bar above every page. */
export function Header(props: { session: Session; onLogout: () => void }) {
  const server = useServer();
  return (
    <header className="bar">
      <Link to="/" className="brand">
        <img src="/icon.svg" alt="" width="22" height="22" />
        Weir
      </Link>
      <nav aria-label="Pages">
        <Link to="/">Streams</Link>
      </nav>
      <span className="spacer" />
      {server && <span className="quiet version">{server.version}</span>}
      <button type="button" className="plain" onClick={props.onLogout} title={props.session.name}>
        Log out
      </button>
    </header>
  );
}
