// A uPlot of the last minute: one line per series, redrawn at most ten times a second from the CounterStore. Values never
// pass through React. The owner disposes it; a theme change or another set of series makes a new one.

import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import type { CounterStore } from "../../live/counters";
import { HISTORY_S } from "../../live/counters";
import { token } from "../../ui/theme";
import { shortRate } from "../topology/layout";
import type { Series } from "./series";

const REDRAW_MS = 100;
const STEP_S = 0.25;
const POINTS = HISTORY_S / STEP_S + 1;

export class RateChart {
  private readonly plot: uPlot;
  private readonly observer: ResizeObserver;
  private readonly xs = new Float64Array(POINTS);
  private readonly ys: Float64Array[];
  private readonly element: HTMLElement;
  private readonly store: CounterStore;
  private readonly series: readonly Series[];
  private readonly onValues: (latest: readonly number[]) => void;
  private frame = 0;
  private drawnAt = 0;

  constructor(
    element: HTMLElement,
    store: CounterStore,
    series: readonly Series[],
    onValues: (latest: readonly number[]) => void,
  ) {
    this.element = element;
    this.store = store;
    this.series = series;
    this.onValues = onValues;
    this.ys = series.map(() => new Float64Array(POINTS));
    for (let i = 0; i < POINTS; i++) this.xs[i] = (i - POINTS + 1) * STEP_S;
    this.plot = new uPlot(options(element, series), [this.xs, ...this.ys], element);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(element);
    this.frame = requestAnimationFrame(this.tick);
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.plot.destroy();
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width > 0 && height > 0) this.plot.setSize({ width, height });
  }

  private readonly tick = (at: number) => {
    this.frame = requestAnimationFrame(this.tick); // stops by itself in a hidden tab
    if (at - this.drawnAt < REDRAW_MS) return;
    this.drawnAt = at;
    const now = this.store.now();
    if (!Number.isFinite(now)) return;
    // on a fixed grid, so that a line does not tremble while it moves
    const end = Math.floor(now / STEP_S) * STEP_S;
    this.series.forEach(({ counters }, s) => {
      const ys = this.ys[s] as Float64Array;
      for (let i = 0; i < POINTS; i++) ys[i] = this.store.rate(counters, end + (this.xs[i] as number));
    });
    this.plot.setData([this.xs, ...this.ys.map(withGaps)] as uPlot.AlignedData);
    this.onValues(this.series.map(({ counters }) => this.store.rate(counters, now)));
  };
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

function options(element: HTMLElement, series: readonly Series[]): uPlot.Options {
  const axis = {
    stroke: token("text-2"),
    font: `11px ${token("font")}`,
    grid: { stroke: token("grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth || 200,
    height: element.clientHeight || 100,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 14, 0, 0],
    scales: {
      x: { time: false, range: [-HISTORY_S, 0] },
      y: { range: (_plot, _low, high) => [0, niceTop(high)] },
    },
    axes: [
      { ...axis, size: 22, values: (_plot, ticks) => ticks.map((t) => (t === 0 ? "now" : `${t} s`)) },
      {
        ...axis,
        size: 40,
        values: (_plot, ticks) => ticks.map((t) => (Number.isInteger(t) || t < 10 ? shortTick(t) : "")),
      },
    ],
    series: [
      {},
      ...series.map(({ label, colour, dashed }) => ({
        label,
        stroke: token(colour),
        width: 1.5,
        points: { show: false },
        ...(dashed ? { dash: [4, 3] } : {}),
      })),
    ],
  };
}

function shortTick(value: number): string {
  return Number.isInteger(value) ? shortRate(value).replace(".0", "") : value.toFixed(1);
}

/** The axis ends at 1, 2 or 5 times a power of ten above the highest value, so that it does not move all the time. */
export function niceTop(high: number | null): number {
  if (!high || !Number.isFinite(high) || high <= 1) return 1.2;
  const power = 10 ** Math.floor(Math.log10(high));
  const factor = [1.2, 2.4, 6, 12].find((f) => high <= f * power * 0.96) ?? 12;
  return factor * power;
}
