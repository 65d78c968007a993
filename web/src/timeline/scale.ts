/** What a timeline shows: a stretch of time that ends at an instant, or follows the clock. */
export interface View {
  /** Epoch ms, or undefined for now. */
  end: number | undefined;
  /** How much is shown, in ms. */
  span: number;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** The stretches that buttons offer. */
export const presets = [
  { label: "10 min", span: 10 * minute },
  { label: "1 h", span: hour },
  { label: "6 h", span: 6 * hour },
  { label: "24 h", span: day },
  { label: "7 d", span: 7 * day },
];

const minSpan = minute;
const maxSpan = 31 * day;

/** Room after now, as a part of the span, so that the live edge is not at the rim. */
const margin = 0.02;

/** A view at one instant: pixels and times. */
export class Scale {
  readonly start: number;
  readonly end: number;

  constructor(
    readonly view: View,
    readonly width: number,
    readonly now: number,
  ) {
    this.end = view.end ?? now + view.span * margin;
    this.start = this.end - view.span;
  }

  x(time: number): number {
    return ((time - this.start) / this.view.span) * this.width;
  }

  time(x: number): number {
    return this.start + (x / Math.max(1, this.width)) * this.view.span;
  }

  /**
   * The view with another span, in which the time at x stays where it is;
   * without x, a view that follows the clock goes on to.
   */
  zoomed(factor: number, x?: number): View {
    const span = Math.min(maxSpan, Math.max(minSpan, this.view.span * factor));
    if (this.view.end === undefined && (x ?? this.width) > this.width * 0.9) {
      return { end: undefined, span };
    }
    const at = x ?? this.width / 2;
    const end = this.time(at) + span * (1 - at / Math.max(1, this.width));
    return follow({ end, span }, this.now);
  }

  /** The view moved by a part of its span. */
  moved(part: number): View {
    const { span } = this.view;
    return follow({ end: this.end + part * span, span }, this.now);
  }

  /** Instants to label, at round local times. */
  ticks(): { at: number; label: string }[] {
    const step = stepFor(this.view.span / Math.max(2, this.width / 90));
    const offset = new Date(this.start).getTimezoneOffset() * minute;
    const ticks: { at: number; label: string }[] = [];
    for (
      let at = Math.ceil((this.start - offset) / step) * step + offset;
      at < this.end;
      at += step
    ) {
      ticks.push({ at, label: labelOf(at, step) });
    }
    return ticks;
  }
}

/** A view that reaches now follows the clock from then on. */
function follow(view: View, now: number): View {
  const end = view.end ?? now;
  return end >= now ? { end: undefined, span: view.span } : view;
}

const steps = [
  10_000,
  30_000,
  minute,
  2 * minute,
  5 * minute,
  10 * minute,
  30 * minute,
  hour,
  2 * hour,
  6 * hour,
  12 * hour,
  day,
  2 * day,
  7 * day,
];

function stepFor(least: number): number {
  return steps.find((step) => step >= least) ?? 7 * day;
}

function labelOf(at: number, step: number): string {
  const date = new Date(at);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
  if (midnight || step >= day) {
    return date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  }
  return date.toLocaleTimeString(undefined, {
    hour: "2-digit",
    minute: "2-digit",
    ...(step < minute ? { second: "2-digit" } : {}),
  });
}
