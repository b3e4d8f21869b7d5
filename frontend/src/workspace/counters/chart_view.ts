// How the charts are looked at: which stretch of time, on which scale, live or held still. One for all charts of a pane,
// so that what stands above each other happened at the same time. Pure but for `Held`, which copies what it holds.

import type { CounterSchema } from "../../api/types";
import { type CounterStore, HISTORY_S, RATE_WINDOW_S } from "../../live/counters";
import { rateAt, readRateAt, type SampleRing } from "../../live/ring";
import type { ChartGroup } from "./chart_groups";

/** Seconds before now: [60, 0] is the last minute. */
export type Stretch = readonly [from: number, to: number];

export interface ChartView {
  stretch: Stretch;
  log: boolean;
  /** null: live. */
  held: Held | null;
}

export const WHOLE: Stretch = [HISTORY_S, 0];
export const LIVE: ChartView = { stretch: WHOLE, log: false, held: null };
const SHORTEST_S = 1;

/** What a chart draws from: the store, or what it was when somebody pressed Pause. */
export interface Source {
  now(): number;
  readonly ring: SampleRing;
}

export class Held implements Source {
  readonly ring: SampleRing;
  /** What its columns are: the lab may count more by now. */
  readonly schema: CounterSchema | null;
  private readonly at: number;

  constructor(store: CounterStore) {
    this.ring = store.ring.copy();
    this.schema = store.schema;
    this.at = store.now();
  }

  now(): number {
    return this.at;
  }
}

/** A stretch that a person has dragged over; null when it is too short to be meant. */
export function stretchOf(from: number, to: number): Stretch | null {
  const [early, late] = [Math.max(from, to), Math.max(0, Math.min(from, to))];
  return early - late < SHORTEST_S ? null : [Math.min(HISTORY_S, early), late];
}

/** The value of a line at a time; NaN when nothing is known. */
export function valueAt(
  source: Source,
  measure: ChartGroup["measure"],
  counters: readonly number[],
  time: number,
): number {
  if (measure !== "value") {
    if (measure === "read_bits") return 8 * readRateAt(source.ring, counters, time);
    if (measure === "read_rate") return readRateAt(source.ring, counters, time);
    const rate = rateAt(source.ring, counters, time, RATE_WINDOW_S);
    return measure === "bits" ? rate * 8 : rate;
  }
  const row = source.ring.rowAt(time);
  if (row < 0) return Number.NaN;
  return counters.reduce((sum, counter) => sum + source.ring.valueAt(row, counter), 0);
}
