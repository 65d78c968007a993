import { useEffect, useState } from "react";
import { useServer, useStreams } from "../api/hooks";
import type { Stream } from "../api/types";
import { DeleteDialog } from "../components/deletedialog";
import { StreamDialog } from "../components/streamdialog";
import { StreamRow } from "../components/streamrow";

type Open = { dialog: "add" } | { dialog: "edit" | "delete"; stream: Stream };

/** The list of streams. */
export function StreamsPage() {
  const { streams, problem, refresh } = useStreams();
  const server = useServer();
  const [open, setOpen] = useState<Open>();
  useEffect(() => {
    document.title = "Streams · Weir";
  }, []);
  const close = () => setOpen(undefined);
  const done = () => {
    close();
    void refresh();
  };
  const online = streams?.filter((s) => s.state.online).length ?? 0;
  return (
    <section aria-labelledby="streams-title">
      <div className="title-row">
        <h1 id="streams-title">Streams</h1>
        {streams && (
          <span className="quiet">
            {streams.length} in all, {online} online
          </span>
        )}
        <span className="spacer" />
        <button type="button" className="primary" onClick={() => setOpen({ dialog: "add" })}>
          Add stream
        </button>
      </div>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {streams?.length === 0 && (
        <p className="empty">
          No streams yet. Add a camera that Weir pulls, or one that a producer pushes to Weir.
        </p>
      )}
      {streams && streams.length > 0 && (
        <table className="streams">
          <thead>
            <tr>
              <th scope="col">Stream</th>
              <th scope="col">State</th>
              <th scope="col">Media</th>
              <th scope="col" className="number">
                Bit rate
              </th>
              <th scope="col" className="number">
                Viewers
              </th>
              <th scope="col" className="number">
                Recorded
              </th>
              <th scope="col">Last fragment</th>
              <th scope="col">
                <span className="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {streams.map((stream) => (
              <StreamRow
                key={stream.id}
                stream={stream}
                onEdit={() => setOpen({ dialog: "edit", stream })}
                onDelete={() => setOpen({ dialog: "delete", stream })}
              />
            ))}
          </tbody>
        </table>
      )}
      {open?.dialog === "add" && <StreamDialog server={server} onClose={close} onDone={done} />}
      {open?.dialog === "edit" && (
        <StreamDialog server={server} stream={open.stream} onClose={close} onDone={done} />
      )}
      {open?.dialog === "delete" && (
        <DeleteDialog name={open.stream.name} onClose={close} onDone={done} />
      )}
    </section>
  );
}
