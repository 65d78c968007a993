import { useCallback, useEffect, useRef, useState } from "react";
import { useServer, useStream } from "../api/hooks";
import type { Stream } from "../api/types";
import { Badge, problemOf } from "../components/badge";
import { DeleteDialog } from "../components/deletedialog";
import { Facts } from "../components/facts";
import { Link } from "../components/link";
import { StreamDialog } from "../components/streamdialog";
import type { Playback } from "../player/playback";
import { Player } from "../player/player";
import { go, pathOf } from "../routes";
import { ClipBar } from "../timeline/clip";
import type { View } from "../timeline/scale";
import { useSpans } from "../timeline/spans";
import { Timeline, type Selection } from "../timeline/timeline";

/** One stream: its player, its timeline, what is known of it. */
export function StreamPage(props: { name: string }) {
  const { name } = props;
  const { stream, problem, refresh } = useStream(name);
  const server = useServer();
  const [dialog, setDialog] = useState<"edit" | "delete">();
  useEffect(() => {
    document.title = `${name} · Weir`;
  }, [name]);
  const close = () => setDialog(undefined);
  return (
    <section aria-labelledby="stream-title">
      <div className="title-row">
        <Link to="/" className="up">
          Streams
        </Link>
        <h1 id="stream-title">{name}</h1>
        {stream && <Badge stream={stream} />}
        <span className="spacer" />
        {stream && (
          <span className="title-actions">
            {!stream.source && (
              <Link to={pathOf(name, "publish")} className="button">
                Publish from here
              </Link>
            )}
            <button type="button" onClick={() => setDialog("edit")}>
              Edit
            </button>
            <button type="button" onClick={() => setDialog("delete")}>
              Delete
            </button>
          </span>
        )}
      </div>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {stream && <Watch stream={stream} />}
      {stream && <Facts stream={stream} server={server} />}
      {stream && dialog === "edit" && (
        <StreamDialog
          server={server}
          stream={stream}
          onClose={close}
          onDone={() => {
            close();
            void refresh();
          }}
        />
      )}
      {dialog === "delete" && (
        <DeleteDialog name={name} onClose={close} onDone={() => go("/", true)} />
      )}
    </section>
  );
}

/** The player with the timeline under it. */
function Watch(props: { stream: Stream }) {
  const { stream } = props;
  const playback = useRef<Playback>(null);
  const [position, setPosition] = useState<Date>();
  const [selection, setSelection] = useState<Selection>();
  const [view, setView] = useState<View>({ end: undefined, span: 3600_000 });
  const spans = useSpans(stream.name, view);
  const onPosition = useCallback((at: Date | undefined) => setPosition(at), []);
  return (
    <>
      <Player
        name={stream.name}
        playback={playback}
        onPosition={onPosition}
        offline={offlineNotice(stream)}
      />
      <Timeline
        view={view}
        onView={setView}
        spans={spans}
        position={position}
        selection={selection}
        onSelect={setSelection}
        onSeek={(at) => playback.current?.from(at)}
      />
      <ClipBar
        name={stream.name}
        selection={selection}
        spans={spans}
        position={position}
        onSelect={setSelection}
      />
    </>
  );
}

/** Why there is no live picture, in words. */
function offlineNotice(stream: Stream): string {
  if (stream.state.online) return "";
  const problem = problemOf(stream);
  if (stream.source?.onDemand && !problem) return "";
  if (problem) return `The camera is not connected: ${problem}`;
  return stream.source
    ? "Connecting to the camera…"
    : "No producer is connected. What was recorded plays from the timeline.";
}
