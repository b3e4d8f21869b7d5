// What the maps pane shows of a reading: cells as text, what changed since the last one, rates of what counts. Pure.

import type { MapCell, MapField, SeenMap } from "../../api/types";
import type { MapsReading } from "../../live/maps";

export interface CellView {
  text: string;
  changed: boolean;
  /** Per second; null where nothing is counted, or nothing is known of the second before. */
  rate: number | null;
}

export interface RowView {
  /** The entry's key, as a key for React. */
  id: string;
  key: readonly string[];
  value: readonly CellView[];
  /** Key and value as they came. */
  cells: readonly MapCell[];
  /** Not there a second ago. */
  fresh: boolean;
}

export interface MapView {
  map: SeenMap;
  rows: readonly RowView[];
  /** One entry of many fields is read from top to bottom. */
  upright: boolean;
}

const UPRIGHT_FROM_FIELDS = 4;

/** The last but one is kept while the first is drawn: rates need both. */
export function mapViews(reading: MapsReading): MapView[] {
  const before = new Map(reading.before?.maps.map((map) => [map.id, map]));
  const seconds = reading.before ? reading.at - reading.before.at : 0;
  return reading.maps.map((map) => mapView(map, before.get(map.id), seconds));
}

function mapView(map: SeenMap, before: SeenMap | undefined, seconds: number): MapView {
  const keys = map.key.length;
  const old = new Map(before?.rows.map((row) => [rowId(row, keys), row]));
  const rows = map.rows.map((row) => {
    const id = rowId(row, keys);
    const was = old.get(id);
    return {
      id,
      key: row.slice(0, keys).map(cellText),
      value: map.value.map((field, at) => cellView(field, row[keys + at] ?? "", was?.[keys + at], seconds)),
      cells: row,
      fresh: before !== undefined && was === undefined,
    };
  });
  return { map, rows, upright: rows.length === 1 && map.value.length >= UPRIGHT_FROM_FIELDS };
}

function rowId(row: readonly MapCell[], keys: number): string {
  return JSON.stringify(row.slice(0, keys));
}

function cellView(field: MapField, cell: MapCell, was: MapCell | undefined, seconds: number): CellView {
  return {
    text: cellText(cell),
    changed: was !== undefined && was !== cell,
    rate: field.counts && was !== undefined && seconds > 0 ? rateOf(cell, was, seconds) : null,
  };
}

/** Null for what went down: then it does not count, or began anew. */
function rateOf(cell: MapCell, was: MapCell, seconds: number): number | null {
  const more = typeof cell === "number" && typeof was === "number" ? cell - was : Number(BigInt(cell) - BigInt(was));
  return more < 0 ? null : more / seconds;
}

export function cellText(cell: MapCell): string {
  return typeof cell === "number" ? cell.toLocaleString("en") : cell;
}

export function rateText(rate: number | null): string {
  if (rate === null) return "";
  return rate.toLocaleString("en", { maximumFractionDigits: rate < 9.95 ? 1 : 0 });
}

export function isNumber(field: MapField): boolean {
  return field.kind === "unsigned" || field.kind === "signed" || field.kind === "big" || field.kind === "bool";
}

/** "percpu_array, 12 entries, sum of all CPUs" */
export function aboutMap(map: SeenMap): string {
  const entries = `${map.max_entries.toLocaleString("en")} ${map.max_entries === 1 ? "entry" : "entries"}`;
  const room = map.type.includes("array") ? entries : `room for ${entries}`;
  const known = map.program !== "" || map.value.some((field) => field.kind !== "hex");
  const sum = map.per_cpu && known ? "summed over CPUs" : "";
  return [map.type, map.type === "ringbuf" ? "" : room, sum, known ? "" : "in hex"].filter(Boolean).join(" · ");
}

/** What is there and not among the rows, as a sentence; empty when all is. */
export function leftOut(map: SeenMap): string {
  const zeros = map.zeros ? `${map.zeros.toLocaleString("en")} elements that are zero` : "";
  const least = map.unread && map.more ? "at least " : "";
  const more = map.more ? `${least}${map.more.toLocaleString("en")} more ${map.more === 1 ? "entry" : "entries"}` : "";
  const parts = [zeros, more].filter(Boolean).join(" and ");
  const unread = map.unread && !map.more ? "There may be more: only the first part of it is read." : "";
  return [parts && `Not shown: ${parts}.`, unread].filter(Boolean).join(" ");
}

/** The columns' headings; of a key or value that is no struct, what it is. */
export function heading(field: MapField, of: "key" | "value"): string {
  return field.name || of;
}
