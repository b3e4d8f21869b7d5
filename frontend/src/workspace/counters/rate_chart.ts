// A uPlot of the last minute: one line per series, redrawn at most ten times a second from the CounterStore. Values never
// pass through React. The owner disposes it; a theme change or another set of series makes a new one.

import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import { token, tokenNumber } from "../../ui/theme";
import { shortRate } from "../topology/layout";
import type { ChartGroup } from "./chart_groups";
import { type ChartView, type Source, type Stretch, stretchOf, valueAt } from "./chart_view";
import type { Series } from "./series";

const REDRAW_MS = 100;
const POINTS = 601;
const LOG_FLOOR = 0.1;
/** The fast tick: there is nothing in between. */
const STEP_S_MIN = 0.1;

export interface RateChartWish {
  source: () => Source;
  series: readonly Series[];
  measure: ChartGroup["measure"];
  view: () => ChartView;
  /** The newest values, one per series. */
  onValues: (latest: readonly number[]) => void;
  /** Somebody has dragged over a stretch of time. */
  onStretch?: (stretch: Stretch) => void;
}

export class RateChart {
  private readonly plot: uPlot;
  private readonly observer: ResizeObserver;
  private readonly xs = new Float64Array(POINTS);
  private readonly ys: Float64Array[];
  private readonly element: HTMLElement;
  private readonly wish: RateChartWish;
  private frame = 0;
  private drawnAt = 0;
  private drawn: unknown[] = [];

  constructor(element: HTMLElement, wish: RateChartWish) {
    this.element = element;
    this.wish = wish;
    this.ys = wish.series.map(() => new Float64Array(POINTS));
    this.plot = new uPlot(this.options(), [this.xs, ...this.ys], element);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
    this.frame = requestAnimationFrame(this.tick);
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.plot.destroy();
  }

  /** What is drawn now, in another size; in the screen's pixels. */
  async picture(width: number, height: number): Promise<HTMLCanvasElement> {
    this.plot.setSize({ width, height });
    await new Promise<void>(queueMicrotask); // uPlot draws in one, too, and asked for it before
    const drawn = this.plot.ctx.canvas;
    const copy = document.createElement("canvas");
    copy.width = drawn.width;
    copy.height = drawn.height;
    copy.getContext("2d")?.drawImage(drawn, 0, 0);
    this.resize();
    return copy;
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width > 0 && height > 0) this.plot.setSize({ width, height });
  }

  private readonly tick = (at: number) => {
    this.frame = requestAnimationFrame(this.tick); // stops by itself in a hidden tab
    if (at - this.drawnAt < REDRAW_MS) return;
    this.drawnAt = at;
    const { measure, series } = this.wish;
    const source = this.wish.source();
    const view = this.wish.view();
    const now = source.now();
    if (!Number.isFinite(now)) return;
    const [from, to] = view.stretch;
    const step = Math.max(STEP_S_MIN, (from - to) / (POINTS - 1));
    const end = Math.floor(now / step) * step; // on a fixed grid, so that a line does not tremble while it moves
    const state = [source, end, from, to, view.log];
    if (state.every((value, i) => value === this.drawn[i])) return; // held still
    this.drawn = state;
    // a stretch shorter than all points goes on to the left of what is shown
    for (let i = 0; i < POINTS; i++) this.xs[i] = -to - (POINTS - 1 - i) * step;
    series.forEach(({ counters }, s) => {
      const ys = this.ys[s] as Float64Array;
      for (let i = 0; i < POINTS; i++) ys[i] = valueAt(source, measure, counters, end + (this.xs[i] as number));
    });
    const shown = this.ys.map((ys, index) => (view.log ? onLogScale(ys) : withGaps(ys, index)));
    this.plot.setData([this.xs, ...shown] as uPlot.AlignedData);
    this.wish.onValues(series.map(({ counters }) => valueAt(source, measure, counters, now)));
  };

  private options(): uPlot.Options {
    const { series, view } = this.wish;
    const type = tokenNumber("size-tiny") || 11;
    const axis = {
      stroke: token("text-2"),
      font: `${type}px ${token("font")}`,
      grid: { stroke: token("grid"), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.element.clientWidth || 200,
      height: this.element.clientHeight || 100,
      legend: { show: false },
      cursor: { show: this.wish.onStretch !== undefined, y: false, points: { show: false }, drag: { setScale: false } },
      hooks: { setSelect: [(plot) => this.selected(plot)] },
      padding: [8, 14, 0, 0],
      scales: {
        x: { time: false, range: () => [-view().stretch[0], -view().stretch[1]] },
        y: {
          distr: view().log ? 3 : 1,
          range: (_plot, _low, high) => (view().log ? [LOG_FLOOR, Math.max(10, high ?? 0) * 1.2] : [0, niceTop(high)]),
        },
      },
      axes: [
        { ...axis, size: 2 * type, values: (_plot, ticks) => ticks.map((t) => (t === 0 ? "now" : `${t} s`)) },
        {
          ...axis,
          ...(view().log && {
            splits: (_plot: uPlot, _axis: number, low: number, high: number) => powersOfTen(low, high),
          }),
          size: Math.round(3.6 * type),
          values: (_plot, ticks) => ticks.map((t) => (view().log ? logTick(t) : linearTick(t))),
        },
      ],
      series: [
        {},
        ...series.map(({ label, colour, dashed }) => ({
          label,
          stroke: token(colour),
          width: tokenNumber("chart-line") || 1.5,
          points: { show: false },
          ...(dashed ? { dash: [4, 3] } : {}),
        })),
      ],
    };
  }

  private selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 4) return;
    const stretch = stretchOf(-plot.posToVal(left, "x"), -plot.posToVal(left + width, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (stretch) this.wish.onStretch?.(stretch);
  }
}

/**
 * uPlot breaks a line at null, not at NaN. Of the lines that are zero all the time only the first is drawn, so that the
 * last one's colour does not cover the axis.
 */
function withGaps(values: Float64Array, index: number): (number | null)[] | Float64Array {
  const silent = index > 0 && values.every((v) => v === 0 || Number.isNaN(v));
  if (!silent && !values.some(Number.isNaN)) return values;
  return Array.from(values, (v) => (silent || Number.isNaN(v) ? null : v));
}

/** Nothing has no place on such a scale: a line ends where there was none. */
function onLogScale(values: Float64Array): (number | null)[] {
  return Array.from(values, (v) => (v >= LOG_FLOOR ? v : null));
}

function linearTick(value: number): string {
  if (!Number.isInteger(value) && value >= 10) return "";
  return Number.isInteger(value) ? shortRate(value).replace(".0", "") : value.toFixed(1);
}

function logTick(value: number | null): string {
  if (!value) return "";
  return value < 1 ? String(value) : shortRate(value).replace(".0", "");
}

function powersOfTen(low: number, high: number): number[] {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, i) => Number(`1e${first + i}`));
}

/** The axis ends at 1, 2 or 5 times a power of ten above the highest value, so that it does not move all the time. */
export function niceTop(high: number | null): number {
  if (!high || !Number.isFinite(high) || high <= 1) return 1.2;
  const power = 10 ** Math.floor(Math.log10(high));
  const factor = [1.2, 2.4, 6, 12].find((f) => high <= f * power * 0.96) ?? 12;
  return factor * power;
}
