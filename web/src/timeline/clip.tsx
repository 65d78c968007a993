import { streamPath, windowQuery } from "../api/client";
import { duration } from "../format";
import { recordedWithin, type Recorded } from "./spans";
import type { Selection } from "./timeline";

interface Props {
  name: string;
  selection: Selection | undefined;
  spans: Recorded[];
  position: Date | undefined;
  onSelect: (selection: Selection | undefined) => void;
}

/** A new selection is this long until its other end is set, in ms. */
const usual = 10_000;

/** The marked stretch, and its download. */
export function ClipBar(props: Props) {
  const { selection, position, onSelect } = props;
  const mark = (change: Partial<Selection>) => onSelect(ordered(selection, change));
  const here = position?.getTime();
  return (
    <div className="clip" role="group" aria-label="Clip">
      <button
        type="button"
        disabled={here === undefined}
        onClick={() => here !== undefined && mark({ start: here })}
      >
        Clip from here
      </button>
      <button
        type="button"
        disabled={here === undefined}
        onClick={() => here !== undefined && mark({ end: here })}
      >
        Clip to here
      </button>
      {!selection && <span className="quiet">or drag over the timeline to mark a clip</span>}
      {selection && (
        <>
          <TimeInput label="From" at={selection.start} onChange={(start) => mark({ start })} />
          <TimeInput label="To" at={selection.end} onChange={(end) => mark({ end })} />
          <Downloads {...props} selection={selection} />
        </>
      )}
    </div>
  );
}

function Downloads(props: Props & { selection: Selection }) {
  const { name, selection } = props;
  const recorded = recordedWithin(props.spans, selection.start, selection.end);
  const query = windowQuery(new Date(selection.start), new Date(selection.end));
  const file = `${name}-${new Date(selection.start).toISOString().slice(0, 19).replaceAll(":", "")}Z`;
  return (
    <>
      <span className="quiet">
        {recorded === 0 ? "nothing is recorded there" : `${duration(recorded)} recorded`}
      </span>
      {recorded > 0 && (
        <>
          <a
            className="button primary"
            href={streamPath(name, "/clip.mp4") + query}
            download={`${file}.mp4`}
          >
            Download MP4
          </a>
          <a
            className="button"
            href={streamPath(name, "/clip.mkv") + query}
            download={`${file}.mkv`}
          >
            MKV
          </a>
        </>
      )}
      <button type="button" className="plain" onClick={() => props.onSelect(undefined)}>
        Clear
      </button>
    </>
  );
}

function TimeInput(props: { label: string; at: number; onChange: (at: number) => void }) {
  return (
    <label className="inline">
      {props.label}
      <input
        type="datetime-local"
        step="1"
        value={local(props.at)}
        onChange={(event) => {
          const at = new Date(event.target.value).getTime();
          if (!Number.isNaN(at)) props.onChange(at);
        }}
      />
    </label>
  );
}

/** A time as the input wants it: local, to the second. */
function local(at: number): string {
  const offset = new Date(at).getTimezoneOffset() * 60_000;
  return new Date(at - offset).toISOString().slice(0, 19);
}

/** The selection with one end moved, the other pushed along if need be. */
function ordered(old: Selection | undefined, change: Partial<Selection>): Selection {
  if (change.start !== undefined) {
    const end = old && old.end > change.start ? old.end : change.start + usual;
    return { start: change.start, end: Math.min(end, Math.max(Date.now(), change.start + 1000)) };
  }
  const end = change.end ?? Date.now();
  return { start: old && old.start < end ? old.start : end - usual, end };
}
