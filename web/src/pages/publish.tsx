import { useEffect, useRef, useState } from "react";
import { Link } from "../components/link";
import { bitrate } from "../format";
import { capture, captureProblem, mayCapture, videoCodecs, type Wish } from "../publish/capture";
import { Publication, type Sent } from "../publish/publication";
import { WishFields } from "../publish/wishfields";
import { pathOf } from "../routes";

/** What most people want: H.264, since recordings in it play everywhere. */
function usual(): Wish {
  const codec = videoCodecs().includes("H264") ? "H264" : "";
  return { kind: "camera", camera: "", microphone: "", sound: true, height: 720, codec };
}

/** Publishes the camera or screen of this browser into a stream. */
export function PublishPage(props: { name: string }) {
  const { name } = props;
  useEffect(() => {
    document.title = `Publish ${name} · Weir`;
  }, [name]);
  return (
    <section aria-labelledby="publish-title" className="publish">
      <div className="title-row">
        <Link to={pathOf(name)} className="up">
          {name}
        </Link>
        <h1 id="publish-title">Publish from this browser</h1>
      </div>
      {mayCapture() ? (
        <Studio name={name} />
      ) : (
        <p className="problem" role="alert">
          Browsers give pages their camera only over TLS, or on this machine itself. Start Weir with
          --tls-listen, or open this page as http://127.0.0.1.
        </p>
      )}
    </section>
  );
}

/** The picture, and what is done with it. */
function Studio(props: { name: string }) {
  const { name } = props;
  const video = useRef<HTMLVideoElement>(null);
  const publication = useRef<Publication>(undefined);
  const [wish, setWish] = useState(usual);
  const [phase, setPhase] = useState<"idle" | "asking" | "on">("idle");
  const [problem, setProblem] = useState("");
  const [sent, setSent] = useState<Sent>();

  const stop = (why = "") => {
    publication.current?.close();
    publication.current = undefined;
    if (video.current) video.current.srcObject = null;
    setPhase("idle");
    setSent(undefined);
    setProblem(why);
  };
  useEffect(() => () => publication.current?.close(), []);

  const start = async () => {
    setProblem("");
    setPhase("asking");
    try {
      const media = await capture(wish);
      if (!video.current) {
        for (const track of media.getTracks()) track.stop();
        return;
      }
      video.current.srcObject = media;
      publication.current = new Publication(name, media, wish.codec, setSent, stop);
      setPhase("on");
    } catch (cause) {
      stop(captureProblem(cause));
    }
  };

  return (
    <div className="studio">
      <div className="player">
        <div className="screen">
          <video ref={video} muted autoPlay playsInline aria-label="What is published" />
        </div>
        <div className="controls">
          {phase === "on" ? (
            <button type="button" className="danger" onClick={() => stop()}>
              Stop
            </button>
          ) : (
            <button
              type="button"
              className="primary"
              disabled={phase === "asking"}
              onClick={() => void start()}
            >
              Publish
            </button>
          )}
          <span role="status" className="sent">
            {phase === "on" ? summary(sent) : "Nothing is sent until you publish."}
          </span>
        </div>
      </div>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <fieldset className="wish" disabled={phase !== "idle"}>
        <WishFields wish={wish} set={(change) => setWish({ ...wish, ...change })} />
      </fieldset>
    </div>
  );
}

/** What is being sent, in a line. */
function summary(sent: Sent | undefined): string {
  if (!sent || sent.state !== "connected") return "Connecting…";
  const parts = ["On air"];
  if (sent.width > 0) parts.push(`${sent.codec} ${sent.width}×${sent.height}`);
  if (sent.framesPerSecond > 0) parts.push(`${Math.round(sent.framesPerSecond)} pictures/s`);
  parts.push(bitrate(sent.bitrate));
  if (sent.roundTrip !== undefined) parts.push(`${Math.round(sent.roundTrip)} ms round trip`);
  if (sent.lost > 0.005) parts.push(`${(sent.lost * 100).toFixed(1)} % lost`);
  return parts.join(" · ");
}
