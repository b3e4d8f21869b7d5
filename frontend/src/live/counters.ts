// The lab's live numbers in the browser: merges frames into the newest sample and keeps the last minute in a ring.
// Charts, tables and the topology read from it once per animation frame; nothing of it enters React state.

import type { Counter, CounterSchema } from "../api/types";
import { DELTA, type Frame, FULL, HISTORY_NUMBER } from "./frames";
import { rateAt, SampleRing } from "./ring";

export const HISTORY_S = 60;
/** Rates are measured over this window, so one ping a second reads as 1. */
export const RATE_WINDOW_S = 1;
const SAMPLES_PER_S_MAX = 10;
const RING_ROWS = (HISTORY_S + 10) * SAMPLES_PER_S_MAX;

export type FrameOutcome = "taken" | "ignored" | "need_full";

const keyOf = (c: Counter) => `${c.node}:${c.object}:${c.kind}:${c.name}`;

function sameCounters(a: readonly Counter[], b: readonly Counter[]): boolean {
  return a.length === b.length && a.every((counter, i) => keyOf(counter) === keyOf(b[i] as Counter));
}

/** Kinds of which a counter is listed as soon as it is not 0. */
const FROM_NOTHING: ReadonlySet<string> = new Set(["drop", "event", "page_pool"]);

/** The rows of another list of counters, each value in the column that its counter has now. */
function carriedOver(
  ring: SampleRing,
  before: readonly Counter[],
  now: readonly Counter[],
  steady: boolean,
): SampleRing {
  const columns = new Map(before.map((counter, column) => [keyOf(counter), column]));
  const from = now.map((counter) => columns.get(keyOf(counter)));
  const absent = now.map((counter) => (FROM_NOTHING.has(counter.kind) ? 0 : Number.NaN));
  const made = new SampleRing(now.length, RING_ROWS, steady);
  for (let row = 0; row < ring.length; row++) {
    const known = ring.width > 0 && !Number.isNaN(ring.valueAt(row, 0));
    const values = from.map((column, i) =>
      column === undefined ? ((known ? absent[i] : Number.NaN) as number) : ring.valueAt(row, column),
    );
    made.push(ring.timeAt(row), values);
  }
  return made;
}

export class CounterStore {
  schema: CounterSchema | null = null;
  ring: SampleRing = new SampleRing(0, 1);
  private current: number[] = [];
  private lastNumber = Number.NaN;
  private receivedAt = 0; // local clock, s, when the newest sample came
  private readonly listeners = new Set<() => void>();
  private readonly clock: () => number;

  constructor(clock: () => number = () => performance.now() / 1000) {
    this.clock = clock;
  }

  /** Called whenever the list of counters changes (not for samples). */
  onSchema(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  setSchema(schema: CounterSchema): void {
    if (schema.version === this.schema?.version && schema.run === this.schema.run) return;
    const before = this.schema?.run === schema.run ? this.schema.counters : null;
    const same = before !== null && sameCounters(before, schema.counters);
    const steady = schema.every_tick ?? false;
    this.schema = schema;
    if (same) {
      this.interrupted(); // a reset: the same counters begin again from 0, the lines go on
      return;
    }
    // a device that came, or the first program in generic mode, adds counters: the lines of the others go on
    this.ring = before
      ? carriedOver(this.ring, before, schema.counters, steady)
      : new SampleRing(schema.counters.length, RING_ROWS, steady);
    this.current = [];
    this.lastNumber = Number.NaN;
    for (const listener of this.listeners) listener();
  }

  /** The lab is gone: nothing is known any more. */
  clear(): void {
    this.schema = null;
    this.ring = new SampleRing(0, 1);
    this.current = [];
    this.lastNumber = Number.NaN;
    for (const listener of this.listeners) listener();
  }

  take(frame: Frame): FrameOutcome {
    const width = this.schema?.counters.length ?? -1;
    if (frame.schemaVersion !== this.schema?.version) return "need_full";
    if (frame.kind === FULL && frame.values.length !== width) return "need_full";
    if (frame.number === HISTORY_NUMBER) return this.takeHistory(frame);
    if (frame.kind === DELTA) {
      if (this.current.length !== width || frame.number !== this.lastNumber + 1) return "need_full";
      this.current = this.current.slice();
      for (let i = 0; i + 1 < frame.values.length; i += 2) {
        const index = frame.values[i] as number;
        if (index >= width) return "need_full";
        this.current[index] = (this.current[index] as number) + (frame.values[i + 1] as number);
      }
    } else {
      this.current = frame.values;
    }
    this.lastNumber = frame.number;
    this.receivedAt = this.clock();
    return this.ring.push(frame.sampledAt, this.current) ? "taken" : "ignored";
  }

  private takeHistory(frame: Frame): FrameOutcome {
    // After a lost connection the history fills the hole only if nothing newer was drawn yet; a row that is not newer
    // than the newest is ignored by the ring.
    if (frame.kind !== FULL) return "ignored";
    this.receivedAt = this.clock();
    return this.ring.push(frame.sampledAt, frame.values) ? "taken" : "ignored";
  }

  /** The connection is gone: what happens from here on is unknown. */
  interrupted(): void {
    this.lastNumber = Number.NaN;
    this.current = [];
    if (this.ring.length > 0) this.ring.pushUnknown(Math.max(this.now(), this.ring.newestTime + 0.001));
  }

  /** The host's time, carried on by the local clock between samples. */
  now(): number {
    if (this.ring.length === 0) return Number.NaN;
    return this.ring.newestTime + Math.min(this.clock() - this.receivedAt, HISTORY_S);
  }

  rate(counters: readonly number[], time: number): number {
    return rateAt(this.ring, counters, time, RATE_WINDOW_S);
  }

  latest(counter: number): number {
    return this.ring.length === 0 ? Number.NaN : this.ring.valueAt(this.ring.length - 1, counter);
  }

  find(matches: (counter: Counter) => boolean): number[] {
    const found: number[] = [];
    this.schema?.counters.forEach((counter, index) => {
      if (matches(counter)) found.push(index);
    });
    return found;
  }
}
