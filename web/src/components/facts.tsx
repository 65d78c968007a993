import type { ReactNode } from "react";
import type { ServerInfo, Stream, Track, Viewer } from "../api/types";
import { bitrate, bytes, codec, moment, retention } from "../format";
import { Copy } from "./copy";
import { problemOf } from "./badge";

/** What is known of a stream. */
export function Facts(props: { stream: Stream; server: ServerInfo | undefined }) {
  const { stream } = props;
  const { state } = stream;
  const problem = problemOf(stream);
  const rtsp = props.server?.rtsp ?? `rtsp://${location.hostname}:8554`;
  return (
    <div className="facts">
      {problem && <p className="problem">{problem}</p>}
      <dl>
        {(state.tracks ?? []).map((track) => (
          <Fact key={track.id} name={track.kind === "audio" ? "Audio" : "Video"}>
            {describe(track)}
          </Fact>
        ))}
        <Fact name="Bit rate">{state.online ? bitrate(state.bitrate) : "–"}</Fact>
        <Fact name="Viewers">{state.readers}</Fact>
        <Fact name="Producer">
          {state.producer ? `${state.producer}${state.remote ? ` from ${state.remote}` : ""}` : "–"}
        </Fact>
        {state.since && <Fact name="Since">{moment(new Date(state.since))}</Fact>}
        {stream.source && <Fact name="Source">{stream.source.url}</Fact>}
        <Fact name="Recorded">
          {bytes(state.recording.bytes)} in {state.recording.chunks}{" "}
          {state.recording.chunks === 1 ? "chunk" : "chunks"}
        </Fact>
        <Fact name="Retention">{stream.record ? retention(stream) : "live only"}</Fact>
        <Fact name="Container">{stream.container.toUpperCase()}</Fact>
      </dl>
      {state.viewers && <Calls viewers={state.viewers} />}
      <Copy label="Play over RTSP" text={`${rtsp}/${stream.name}`} />
      {!stream.source && <Copy label="Push to" text={`${rtsp}/${stream.name}`} />}
    </div>
  );
}

/** Those who watch in real time, and what each gets. */
function Calls(props: { viewers: Viewer[] }) {
  return (
    <div>
      <h2 className="label">Watching in real time</h2>
      <ul className="calls">
        {props.viewers.map((viewer) => (
          <li key={`${viewer.remote} ${viewer.since}`}>
            {[viewer.video, viewer.audio].filter(Boolean).join(" and ") || "nothing yet"}
            {viewer.remote && `, to ${viewer.remote}`}
            {viewer.protocol && ` over ${viewer.protocol.toUpperCase()}`}
            {viewer.note && <span className="sub">{viewer.note}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Fact(props: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

function describe(track: Track): string {
  const parts = [codec(track)];
  if (track.width && track.height) parts.push(`${track.width}×${track.height}`);
  if (track.sampleRate) parts.push(`${track.sampleRate / 1000} kHz`);
  if (track.channels) parts.push(track.channels === 1 ? "mono" : `${track.channels} channels`);
  if (track.codecString) parts.push(track.codecString);
  return parts.join(", ");
}
