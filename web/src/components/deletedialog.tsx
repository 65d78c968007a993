import { useState, type FormEvent } from "react";
import { api, explain } from "../api/client";
import { Dialog } from "./dialog";

/** Asks for the name of the stream before it deletes it and its recordings. */
export function DeleteDialog(props: { name: string; onClose: () => void; onDone: () => void }) {
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const remove = async (event: FormEvent) => {
    event.preventDefault();
    if (typed !== props.name) return;
    setBusy(true);
    try {
      await api.remove(props.name);
      props.onDone();
    } catch (failure) {
      setProblem(explain(failure));
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Delete ${props.name}`} onClose={props.onClose}>
      <form onSubmit={(event) => void remove(event)}>
        <p>
          This deletes the stream and everything it has recorded, for good. Type{" "}
          <strong>{props.name}</strong> to confirm.
        </p>
        <label>
          Name of the stream
          <input
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            autoComplete="off"
            autoFocus
          />
        </label>
        {problem && <p className="problem">{problem}</p>}
        <div className="actions">
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button className="danger" disabled={busy || typed !== props.name}>
            Delete stream and recordings
          </button>
        </div>
      </form>
    </Dialog>
  );
}
