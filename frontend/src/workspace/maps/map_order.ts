// In which order a map's entries stand: at first as the kernel has them in an array and by key in all others, then by the
// column whose heading was pressed. Pure; what was chosen is kept by the pane.

import type { MapCell, SeenMap } from "../../api/types";
import type { MapView, RowView } from "./map_view";

export interface Order {
  /** Of the fields of the key, then of those of the value. */
  column: number;
  /** By how fast the value counts. */
  rate: boolean;
  down: boolean;
}

export const FIRST_ORDER: Order = { column: 0, rate: false, down: false };

/** After a press on a heading: keys begin with the least, values and rates with the greatest; again is the other way round. */
export function pressed(order: Order, column: number, rate: boolean, keys: number): Order {
  const same = order.column === column && order.rate === rate;
  return { column, rate, down: same ? !order.down : column >= keys };
}

export function ariaSort(order: Order, column: number, rate: boolean): "ascending" | "descending" | undefined {
  if (order.column !== column || order.rate !== rate) return undefined;
  return order.down ? "descending" : "ascending";
}

/** Entries that are alike in that column stand by their key, whichever way it goes: they keep their places while values count. */
export function inOrder({ map, rows }: MapView, order: Order): RowView[] {
  const keys = map.key.length;
  const byKey = map.type.includes("array") ? [...rows] : [...rows].sort((a, b) => compareKeys(a, b, keys));
  const sign = order.down ? -1 : 1;
  if (order.rate) return byKey.sort((a, b) => sign * (rateOf(a, order.column - keys) - rateOf(b, order.column - keys)));
  if (isIndex(map, order.column)) return order.down ? byKey.reverse() : byKey;
  return byKey.sort((a, b) => sign * compare(a.cells[order.column], b.cells[order.column]));
}

/** The index of an array may be shown under a name of the program's: it stands for a number. */
function isIndex(map: SeenMap, column: number): boolean {
  return map.type.includes("array") && column < map.key.length;
}

function compareKeys(a: RowView, b: RowView, keys: number): number {
  for (let at = 0; at < keys; at += 1) {
    const less = compare(a.cells[at], b.cells[at]);
    if (less) return less;
  }
  return 0;
}

/** What is not known stands with what does not move. */
function rateOf(row: RowView, at: number): number {
  return row.value[at]?.rate ?? 0;
}

const WORDS = new Intl.Collator("en", { numeric: true });
const WHOLE = /^-?\d+$/;

/** Numbers by their value, also those beyond what JavaScript holds exactly; addresses and names as a person sorts them. */
function compare(a: MapCell = "", b: MapCell = ""): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (isWhole(a) && isWhole(b)) return Number(BigInt(a) > BigInt(b)) - Number(BigInt(a) < BigInt(b));
  return WORDS.compare(String(a), String(b));
}

function isWhole(cell: MapCell): boolean {
  return typeof cell === "number" ? Number.isSafeInteger(cell) : WHOLE.test(cell);
}
