import { useEffect, useRef, useState, type RefObject } from "react";
import { Controls } from "./controls";
import { Playback, type Mode } from "./playback";

interface Props {
  name: string;
  /** Set while the player is there. */
  playback: RefObject<Playback | null>;
  /** Tells what is on screen, some times a second. */
  onPosition: (at: Date | undefined) => void;
  /** What to say when nothing plays because no producer is there. */
  offline: string;
}

/** How often the position on screen is told, in ms. */
const tick = 250;

/** After this many ticks at the same position the picture stands still. */
const still = 12;

/** The video, what is wrong with it, and its controls. */
export function Player(props: Props) {
  const { name, playback, onPosition } = props;
  const frame = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [mode, setMode] = useState<Mode>({ kind: "live", via: "hls" });
  const [problem, setProblem] = useState("");
  const [position, setPosition] = useState<Date>();
  const [latency, setLatency] = useState<number>();
  const [stands, setStands] = useState(false);

  useEffect(() => {
    if (!video.current) return;
    const player = new Playback(video.current, name, { onMode: setMode, onProblem: setProblem });
    playback.current = player;
    player.live();
    const element = video.current;
    let before: number | undefined;
    let same = 0;
    const timer = window.setInterval(() => {
      const at = player.position();
      same = at?.getTime() === before && !element.paused ? same + 1 : 0;
      before = at?.getTime();
      setStands(same >= still);
      setPosition(at);
      setLatency(player.latency());
      onPosition(at);
    }, tick);
    return () => {
      window.clearInterval(timer);
      player.destroy();
      playback.current = null;
    };
  }, [name, playback, onPosition]);

  const notice = problem || noticeOf(mode, stands, props.offline);
  return (
    <div className="player" ref={frame}>
      <div className="screen">
        <video ref={video} muted autoPlay playsInline aria-label={`Video of ${name}`} />
        {notice && (
          <p className="notice" role="status">
            {notice}
          </p>
        )}
      </div>
      <Controls
        frame={frame}
        video={video}
        playback={playback}
        mode={mode}
        position={position}
        latency={latency}
      />
    </div>
  );
}

/** What to say while nothing is wrong with the player itself. */
function noticeOf(mode: Mode, stands: boolean, offline: string): string {
  if (mode.kind === "live") return offline;
  return stands && offline ? `The recording ends here. ${offline}` : "";
}
