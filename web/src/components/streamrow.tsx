import type { Stream } from "../api/types";
import { ago, bitrate, bytes, moment, retention, tracks } from "../format";
import { pathOf } from "../routes";
import { Badge, problemOf } from "./badge";
import { Link } from "./link";

/** One stream in the list. */
export function StreamRow(props: { stream: Stream; onEdit: () => void; onDelete: () => void }) {
  const { stream } = props;
  const { state } = stream;
  const problem = problemOf(stream);
  const lastEnd = state.recording.lastEnd ? new Date(state.recording.lastEnd) : undefined;
  return (
    <tr>
      <th scope="row" data-label="Stream">
        <Link to={pathOf(stream.name)} className="name">
          {stream.name}
        </Link>
        <span className="sub">{stream.source ? stream.source.url : "pushed to Weir"}</span>
      </th>
      <td data-label="State">
        <Badge stream={stream} />
        {problem && <span className="sub problem">{problem}</span>}
      </td>
      <td data-label="Media">{tracks(stream) || "–"}</td>
      <td data-label="Bit rate" className="number">
        {state.online ? bitrate(state.bitrate) : "–"}
      </td>
      <td data-label="Viewers" className="number">
        {state.readers}
      </td>
      <td data-label="Recorded" className="number">
        {bytes(state.recording.bytes)}
        <span className="sub">{stream.record ? retention(stream) : "live only"}</span>
        {state.recording.waitingForStore > 1 && (
          <span className="sub">{state.recording.waitingForStore} chunks wait for the store</span>
        )}
      </td>
      <td data-label="Last fragment" title={lastEnd && moment(lastEnd)}>
        {lastEnd ? ago(lastEnd) : "–"}
      </td>
      <td className="row-actions">
        <button type="button" className="plain" onClick={props.onEdit}>
          Edit<span className="hidden"> {stream.name}</span>
        </button>
        <button type="button" className="plain" onClick={props.onDelete}>
          Delete<span className="hidden"> {stream.name}</span>
        </button>
      </td>
    </tr>
  );
}
