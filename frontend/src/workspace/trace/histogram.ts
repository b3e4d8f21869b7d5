// Histograms of a trace in powers of two of a nanosecond: rows in the lab's order, what has come since a mark, the axis that all
// rows share, and where most packets are. Pure.

import type { LatencyCell, TraceStage } from "../../api/types";

const STAGE_ORDER: readonly TraceStage[] = ["queue", "wire", "stack", "forward", "whole"];

export interface Row {
  key: string;
  node: string;
  stage: TraceStage;
  /** By bucket: bucket b is from 2^(b-1) ns to below 2^b. */
  counts: ReadonlyMap<number, number>;
  total: number;
  /** What had come before the mark; null without one. */
  before: ReadonlyMap<number, number> | null;
}

export interface Axis {
  /** First and last bucket. */
  from: number;
  to: number;
}

/** Ascending by node as the lab names them, then by stage; with a mark: what has come since, and what had come before. */
export function rowsOf(
  cells: readonly LatencyCell[],
  mark: readonly LatencyCell[] | null,
  nodes: readonly string[],
): Row[] {
  const marked = new Map(mark?.map((cell) => [keyOf(cell), countsOf(cell)]));
  const rows = cells.map((cell) => {
    const before = marked.get(keyOf(cell)) ?? new Map<number, number>();
    const counts = new Map<number, number>();
    for (const [bucket, times] of countsOf(cell)) {
      const since = times - (before.get(bucket) ?? 0);
      if (since > 0) counts.set(bucket, since);
    }
    return {
      key: keyOf(cell),
      node: cell.node,
      stage: cell.stage,
      counts,
      total: sum(counts),
      before: mark ? before : null,
    };
  });
  const rank = (row: Row) => nodes.indexOf(row.node) * STAGE_ORDER.length + STAGE_ORDER.indexOf(row.stage);
  return rows.sort((a, b) => rank(a) - rank(b));
}

/** All buckets that anything is in, at least four wide. */
export function axisOf(rows: readonly Row[]): Axis {
  const buckets = rows.flatMap((row) => [...row.counts.keys(), ...(row.before?.keys() ?? [])]);
  if (buckets.length === 0) return { from: 10, to: 14 };
  const from = Math.min(...buckets);
  return { from, to: Math.max(from + 3, ...buckets) };
}

/** The bucket in which this share of the packets has come, from the quickest on; null without packets. */
export function bucketAt(counts: ReadonlyMap<number, number>, share: number): number | null {
  const wanted = sum(counts) * share;
  let seen = 0;
  for (const bucket of [...counts.keys()].sort((a, b) => a - b)) {
    seen += counts.get(bucket) ?? 0;
    if (seen >= wanted) return bucket;
  }
  return null;
}

/** Height of each bar, 0 to 1: the highest bucket is 1. */
export function heights(counts: ReadonlyMap<number, number>, axis: Axis): number[] {
  const highest = Math.max(1, ...counts.values());
  return Array.from({ length: axis.to - axis.from + 1 }, (_, i) => (counts.get(axis.from + i) ?? 0) / highest);
}

/** Where a bucket begins, in ns. */
export function lowerEdge(bucket: number): number {
  return bucket <= 0 ? 0 : 2 ** (bucket - 1);
}

function countsOf(cell: LatencyCell): Map<number, number> {
  return new Map(cell.counts.flatMap((times, i) => (times > 0 ? [[cell.first + i, times] as const] : [])));
}

function keyOf(cell: LatencyCell): string {
  return `${cell.node} ${cell.stage}`;
}

function sum(counts: ReadonlyMap<number, number>): number {
  return [...counts.values()].reduce((all, times) => all + times, 0);
}
