import { useState, type FormEvent } from "react";
import { api, APIError, explain } from "../api/client";
import type { ServerInfo, Stream } from "../api/types";
import { Dialog } from "./dialog";
import { definitionOf, draftOf, type Draft } from "./draft";
import { Field } from "./field";
import { PullFields } from "./pullfields";
import { PushFields } from "./pushfields";
import { StorageFields } from "./storagefields";

interface Props {
  server: ServerInfo | undefined;
  stream?: Stream;
  onClose: () => void;
  onDone: () => void;
}

/** What the groups of fields share. */
export interface FieldsProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  wrong: string | undefined;
}

/** Adds a stream or changes one. */
export function StreamDialog(props: Props) {
  const { stream } = props;
  const [draft, setDraft] = useState(() => draftOf(stream));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const set = (change: Partial<Draft>) => setDraft({ ...draft, ...change });
  const wrong = problem instanceof APIError ? problem.field : undefined;

  const save = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await refuseTaken(draft.name, stream);
      await api.save(definitionOf(draft, stream));
      props.onDone();
    } catch (failure) {
      setProblem(failure);
      setBusy(false);
    }
  };

  const fields: FieldsProps = { draft, set, wrong };
  return (
    <Dialog title={stream ? `Edit ${stream.name}` : "Add stream"} onClose={props.onClose}>
      <form onSubmit={(event) => void save(event)}>
        <Field label="Name" hint="Letters, digits, _ . and -" wrong={wrong === "name"}>
          <input
            value={draft.name}
            onChange={(event) => set({ name: event.target.value })}
            pattern="[A-Za-z0-9_.\-]+"
            title="letters, digits, '_', '.' and '-'"
            maxLength={256}
            disabled={stream !== undefined}
            required
            autoFocus
            spellCheck={false}
          />
        </Field>
        <fieldset className="choice">
          <legend>Where the media comes from</legend>
          <Way draft={draft} set={set} way="pull" text="Weir pulls it from a camera" />
          <Way draft={draft} set={set} way="push" text="A producer pushes it to Weir" />
        </fieldset>
        {draft.way === "pull" ? (
          <PullFields {...fields} />
        ) : (
          <PushFields {...fields} rtsp={props.server?.rtsp} />
        )}
        <StorageFields {...fields} />
        {problem !== undefined && (
          <p className="problem" role="alert">
            {explain(problem)}
          </p>
        )}
        <div className="actions">
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button className="primary" disabled={busy}>
            {stream ? "Save" : "Add stream"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Way(props: { draft: Draft; set: FieldsProps["set"]; way: Draft["way"]; text: string }) {
  return (
    <label className="check">
      <input
        type="radio"
        name="way"
        checked={props.draft.way === props.way}
        onChange={() => props.set({ way: props.way })}
      />
      {props.text}
    </label>
  );
}

/** Keeps a new stream from changing one of the same name. */
async function refuseTaken(name: string, stream: Stream | undefined): Promise<void> {
  if (stream) return;
  const taken = (await api.streams()).some((s) => s.name === name.trim());
  if (taken) throw new APIError(409, "conflict", "is taken by another stream", "name");
}
