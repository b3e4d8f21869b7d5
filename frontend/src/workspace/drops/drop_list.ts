// The list of drops: which there are, in which order, and where each reason is explained. Pure but for the store it reads.

import type { Counter } from "../../api/types";
import type { CounterStore } from "../../live/counters";

export interface Drop {
  counter: Counter;
  index: number;
  /** Identity of the row. */
  key: string;
}

/** When the total was seen to grow last, by row; the clock is the lab's. */
export type Seen = Map<string, { total: number; at: number }>;

/** A drop moves up when its rate is another power of ten, not with every packet. */
const magnitude = (rate: number) => (rate > 0 ? 1 + Math.floor(Math.log10(Math.max(1, rate))) : 0);

export function drops(counters: readonly Counter[]): Drop[] {
  return counters.flatMap((counter, index) =>
    counter.kind === "drop" ? [{ counter, index, key: `${counter.node}:${counter.object} ${counter.name}` }] : [],
  );
}

/** Notes what has grown since the last look; rows that are gone are forgotten. */
export function notice(seen: Seen, rows: readonly Drop[], store: CounterStore): void {
  const there = new Set(rows.map((row) => row.key));
  for (const key of seen.keys()) if (!there.has(key)) seen.delete(key);
  for (const { key, index } of rows) {
    const total = store.latest(index);
    const before = seen.get(key);
    if (!Number.isNaN(total) && before?.total !== total) seen.set(key, { total, at: store.now() });
  }
}

/** The fastest first; what does not move now by when it moved last. */
export function inOrder(rows: readonly Drop[], seen: Seen, store: CounterStore): Drop[] {
  const now = store.now();
  const weight = (row: Drop) => [magnitude(store.rate([row.index], now)), seen.get(row.key)?.at ?? 0] as const;
  const weighed = rows.map((row) => ({ row, weight: weight(row) }));
  weighed.sort((a, b) => b.weight[0] - a.weight[0] || (a.weight[0] > 0 ? 0 : b.weight[1] - a.weight[1]));
  return weighed.map(({ row }) => row);
}

/** The kernel's name of the reason; a drop without one is called "NOT_SPECIFIED at" the place where it happened. */
export function reason(counter: Counter): string {
  return counter.name.replace(/ at .*/, "");
}

/** Where the reason is explained. */
export function explanation(counter: Counter): string {
  return `/help/drops/#${reason(counter)}`;
}
