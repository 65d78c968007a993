import { useEffect, useState, type RefObject } from "react";
import { moment } from "../format";
import { Icon } from "./icon";
import type { Mode, Playback } from "./playback";

const speeds = [0.5, 1, 2, 4, 8];

interface Props {
  frame: RefObject<HTMLDivElement | null>;
  video: RefObject<HTMLVideoElement | null>;
  playback: RefObject<Playback | null>;
  mode: Mode;
  position: Date | undefined;
  /** How far the picture is behind, in ms. */
  latency: number | undefined;
}

/** The buttons below the video. */
export function Controls(props: Props) {
  const { frame, video, playback, mode, position, latency } = props;
  const { paused, muted, speed } = useMediaState(video);
  const live = mode.kind === "live";
  const element = () => video.current;
  const setSpeed = (rate: number) => {
    const v = element();
    if (v) v.playbackRate = rate;
  };
  return (
    <div className="controls" role="group" aria-label="Playback">
      <button
        type="button"
        aria-label={paused ? "Play" : "Pause"}
        onClick={() => (paused ? void element()?.play() : element()?.pause())}
      >
        <Icon name={paused ? "play" : "pause"} />
      </button>
      <button
        type="button"
        aria-label="Back 10 seconds"
        onClick={() => playback.current?.skip(-10)}
      >
        <Icon name="back" />
      </button>
      <button
        type="button"
        aria-label="Forward 10 seconds"
        disabled={live}
        onClick={() => playback.current?.skip(10)}
      >
        <Icon name="forward" />
      </button>
      <button
        type="button"
        className="live-button"
        aria-pressed={live}
        onClick={() => playback.current?.live()}
      >
        Live
      </button>
      <button
        type="button"
        className="real-time"
        aria-pressed={live && mode.via === "webrtc"}
        title="Live over WebRTC: less than a second behind, at the quality that the network carries"
        onClick={() => playback.current?.live(live && mode.via === "webrtc" ? "hls" : "webrtc")}
      >
        Real time
      </button>
      <time className="clock" dateTime={position?.toISOString()}>
        {position ? moment(position) : "–"}
      </time>
      {live && latency !== undefined && <Latency ms={latency} />}
      {live && mode.because && (
        <span className="quiet because" role="status">
          Not in real time: {mode.because}
        </span>
      )}
      <span className="spacer" />
      <label className="speed">
        <span className="hidden">Speed</span>
        <select
          value={live ? 1 : speed}
          disabled={live}
          title={live ? "Recordings play faster or slower; live does not" : "Speed"}
          onChange={(event) => setSpeed(Number(event.target.value))}
        >
          {speeds.map((s) => (
            <option key={s} value={s}>
              {s}×
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        aria-label={muted ? "Sound on" : "Sound off"}
        onClick={() => {
          const v = element();
          if (v) v.muted = !v.muted;
        }}
      >
        <Icon name={muted ? "muted" : "sound"} />
      </button>
      <button
        type="button"
        aria-label="Full screen"
        onClick={() => toggleFullScreen(frame.current)}
      >
        <Icon name="screen" />
      </button>
    </div>
  );
}

/** Below this many ms the clocks of camera and server decide, not the way. */
const exact = 20;

/** How far the picture is behind the clock. */
function Latency(props: { ms: number }) {
  return (
    <span className="quiet latency" title="From the camera's clock to the screen">
      {delay(props.ms)} behind
    </span>
  );
}

function delay(ms: number): string {
  if (ms < exact) return `under ${exact} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** What the video element says of itself. */
function useMediaState(video: RefObject<HTMLVideoElement | null>) {
  const [state, setState] = useState({ paused: true, muted: true, speed: 1 });
  useEffect(() => {
    const v = video.current;
    if (!v) return;
    const read = () => setState({ paused: v.paused, muted: v.muted, speed: v.playbackRate });
    const events = ["play", "pause", "volumechange", "ratechange"];
    for (const event of events) v.addEventListener(event, read);
    read();
    return () => {
      for (const event of events) v.removeEventListener(event, read);
    };
  }, [video]);
  return state;
}

function toggleFullScreen(frame: HTMLDivElement | null): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void frame?.requestFullscreen();
}
