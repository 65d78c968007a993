import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { moment } from "../format";
import { presets, Scale, type View } from "./scale";
import type { Recorded } from "./spans";
import { useNow, useWidth } from "./measure";

/** A stretch of time that the user has marked, in epoch ms. */
export interface Selection {
  start: number;
  end: number;
}

interface Props {
  view: View;
  onView: (view: View) => void;
  spans: Recorded[];
  position: Date | undefined;
  selection: Selection | undefined;
  onSelect: (selection: Selection) => void;
  onSeek: (at: Date) => void;
}

const height = 64;
const top = 22; // of the track, below the labels
const dragFrom = 5; // pixels, less is a click

/** The recorded timeline: click to play, drag to mark, wheel to zoom. */
export function Timeline(props: Props) {
  const { view, onView, position, onSeek } = props;
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const now = useNow();
  const scale = new Scale(view, width, now);
  const [hover, setHover] = useState<number>();
  const drag = usePointer(scale, props, setHover);
  useWheel(box, scale, onView);

  const onKey = (event: KeyboardEvent) => {
    const seconds = keySeconds(event);
    if (seconds !== 0 && position) {
      onSeek(new Date(position.getTime() + seconds * 1000));
    } else if (event.key === "End") {
      onSeek(new Date());
    } else if (event.key === "+" || event.key === "-") {
      onView(scale.zoomed(event.key === "+" ? 0.5 : 2));
    } else {
      return;
    }
    event.preventDefault();
  };

  const marked = drag.marking ?? props.selection;
  return (
    <div className="timeline">
      <Zoom scale={scale} onView={onView} />
      <div
        ref={box}
        className="track"
        role="slider"
        tabIndex={0}
        aria-label="Recorded timeline"
        aria-valuemin={Math.round(scale.start / 1000)}
        aria-valuemax={Math.round(scale.end / 1000)}
        aria-valuenow={Math.round((position?.getTime() ?? now) / 1000)}
        aria-valuetext={position ? moment(position) : "nothing is playing"}
        onKeyDown={onKey}
        {...drag.handlers}
      >
        <svg width={width} height={height} aria-hidden="true">
          {scale.ticks().map((t) => (
            <g key={t.at} transform={`translate(${scale.x(t.at)} 0)`}>
              <line y1={top} y2={height} className="tick" />
              <text y={14} className="tick-label">
                {t.label}
              </text>
            </g>
          ))}
          <rect y={top} width={width} height={height - top} className="ground" />
          <Spans scale={scale} spans={props.spans} />
          {marked && <Stretch scale={scale} {...marked} className="marked" />}
          <Line scale={scale} at={now} className="now" />
          {hover !== undefined && <Line scale={scale} at={hover} className="hover" />}
          {position && <Line scale={scale} at={position.getTime()} className="playing" />}
        </svg>
        {hover !== undefined && (
          <output className="hover-time" ref={(e) => place(e, scale.x(hover), width)}>
            {moment(new Date(hover))}
          </output>
        )}
      </div>
    </div>
  );
}

function Spans(props: { scale: Scale; spans: Recorded[] }) {
  return props.spans.map((s) => (
    <Stretch key={s.start} scale={props.scale} {...s} className="recorded" />
  ));
}

function Stretch(props: { scale: Scale; start: number; end: number; className: string }) {
  const { scale } = props;
  const from = Math.max(-2, scale.x(props.start));
  const to = Math.min(scale.width + 2, scale.x(props.end));
  if (to < 0 || from > scale.width) return null;
  return (
    <rect
      x={from}
      width={Math.max(1.5, to - from)}
      y={top}
      height={height - top}
      className={props.className}
    />
  );
}

function Line(props: { scale: Scale; at: number; className: string }) {
  const x = props.scale.x(props.at);
  if (x < 0 || x > props.scale.width) return null;
  return <line x1={x} x2={x} y1={top - 4} y2={height} className={props.className} />;
}

/** How much is shown, and moving through it. */
function Zoom(props: { scale: Scale; onView: (view: View) => void }) {
  const { scale, onView } = props;
  const { view } = scale;
  return (
    <div className="zoom" role="group" aria-label="Time shown">
      <button type="button" aria-label="Earlier" onClick={() => onView(scale.moved(-0.5))}>
        ‹
      </button>
      {presets.map((p) => (
        <button
          key={p.label}
          type="button"
          aria-pressed={view.span === p.span}
          onClick={() => onView({ ...view, span: p.span })}
        >
          {p.label}
        </button>
      ))}
      <button
        type="button"
        aria-label="Later"
        disabled={view.end === undefined}
        onClick={() => onView(scale.moved(0.5))}
      >
        ›
      </button>
      <button type="button" aria-label="Zoom in" onClick={() => onView(scale.zoomed(0.5))}>
        +
      </button>
      <button type="button" aria-label="Zoom out" onClick={() => onView(scale.zoomed(2))}>
        −
      </button>
    </div>
  );
}

/** Seconds that an arrow key moves by. */
function keySeconds(event: KeyboardEvent): number {
  const size = event.shiftKey ? 60 : 10;
  if (event.key === "ArrowLeft" || event.key === "ArrowDown") return -size;
  if (event.key === "ArrowRight" || event.key === "ArrowUp") return size;
  return 0;
}

/** Turns the pointer into hovering, clicks and marks. */
function usePointer(scale: Scale, props: Props, setHover: (at: number | undefined) => void) {
  const [from, setFrom] = useState<number>();
  const [marking, setMarking] = useState<Selection>();
  const xOf = (event: PointerEvent<HTMLDivElement>) =>
    Math.min(
      scale.width,
      Math.max(0, event.clientX - event.currentTarget.getBoundingClientRect().left),
    );
  const between = (a: number, b: number): Selection => ({
    start: scale.time(Math.min(a, b)),
    end: Math.min(scale.time(Math.max(a, b)), scale.now),
  });
  return {
    marking,
    handlers: {
      onPointerDown: (event: PointerEvent<HTMLDivElement>) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setFrom(xOf(event));
      },
      onPointerMove: (event: PointerEvent<HTMLDivElement>) => {
        const x = xOf(event);
        setHover(scale.time(x));
        if (from === undefined) return;
        if (marking || Math.abs(x - from) >= dragFrom) setMarking(between(from, x));
      },
      onPointerUp: (event: PointerEvent<HTMLDivElement>) => {
        if (from === undefined) return;
        if (marking && marking.end > marking.start) props.onSelect(marking);
        else if (!marking) props.onSeek(new Date(scale.time(xOf(event))));
        setFrom(undefined);
        setMarking(undefined);
      },
      onPointerCancel: () => {
        setFrom(undefined);
        setMarking(undefined);
      },
      onPointerLeave: () => setHover(undefined),
    },
  };
}

/** Zooms with the wheel, around the pointer; sideways it moves. */
function useWheel(
  box: React.RefObject<HTMLDivElement | null>,
  scale: Scale,
  onView: (view: View) => void,
) {
  const latest = useRef({ scale, onView });
  latest.current = { scale, onView };
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    // React listens to the wheel passively, which cannot keep the page still.
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const current = latest.current;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const part = (event.deltaX + (event.shiftKey ? event.deltaY : 0)) / current.scale.width;
        current.onView(current.scale.moved(part));
        return;
      }
      const x = event.clientX - element.getBoundingClientRect().left;
      current.onView(current.scale.zoomed(event.deltaY > 0 ? 1.25 : 0.8, x));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [box]);
}

/** Puts the time at the pointer, within the timeline. */
function place(element: HTMLElement | null, x: number, width: number): void {
  if (!element) return;
  const half = element.offsetWidth / 2;
  element.style.left = `${Math.min(Math.max(x - half, 0), width - 2 * half)}px`;
}
