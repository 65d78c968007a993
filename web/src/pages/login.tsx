import { useEffect, useRef, useState, type FormEvent } from "react";
import { api, explain } from "../api/client";

/** Logs in with the link in the address, or with a key pair. */
export function LoginPage(props: { onLogin: () => Promise<void> }) {
  const { onLogin } = props;
  const [accessKey, setAccessKey] = useState("");
  const [secretKey, setSecretKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const tried = useRef(false);

  const attempt = async (login: () => Promise<unknown>) => {
    setBusy(true);
    setProblem("");
    try {
      await login();
      await onLogin();
    } catch (failure) {
      setProblem(explain(failure));
    }
    setBusy(false);
  };

  useEffect(() => {
    // The link is in the fragment of the address, which browsers send to
    // nobody, and is taken out of the address bar at once.
    const link = new URLSearchParams(location.hash.slice(1)).get("link");
    if (!link || tried.current) return;
    tried.current = true;
    history.replaceState(null, "", "/login");
    void attempt(() => api.loginWithLink(link));
  });

  const submit = (event: FormEvent) => {
    event.preventDefault();
    void attempt(() => api.loginWithKey(accessKey.trim(), secretKey.trim()));
  };

  return (
    <main className="login">
      <form onSubmit={submit} aria-busy={busy}>
        <h1>
          <img src="/icon.svg" alt="" width="32" height="32" /> Weir
        </h1>
        <p className="quiet">
          Open the one-time address that <code>weir serve</code> printed, or log in with the root
          keys, which <code>weir env</code> prints.
        </p>
        <label>
          Access key
          <input
            name="accessKey"
            value={accessKey}
            onChange={(event) => setAccessKey(event.target.value)}
            autoComplete="username"
            spellCheck={false}
            required
            autoFocus
          />
        </label>
        <label>
          Secret key
          <input
            name="secretKey"
            type="password"
            value={secretKey}
            onChange={(event) => setSecretKey(event.target.value)}
            autoComplete="current-password"
            required
          />
        </label>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <button className="primary" disabled={busy}>
          {busy ? "Logging in…" : "Log in"}
        </button>
      </form>
    </main>
  );
}
