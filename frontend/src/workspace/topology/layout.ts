// Where nodes are drawn: the author's positions where given, else a circle in the order of the file. Pure.

import type { LabNode } from "../../api/types";
import type { Sizes } from "./sizes";

export interface Point {
  x: number;
  y: number;
}

/** Where a cable ends. */
export interface Anchor extends Point {
  /** Of what it ends at. */
  width: number;
  /** Beside other cables between the same nodes: its labels have one line. */
  lane?: boolean;
}

export interface Room {
  width: number;
  height: number;
}

/** Positions as fractions of the canvas, 0..1 each way, spread so that the outermost nodes touch its edges. */
export function placeNodes(nodes: readonly LabNode[]): Map<string, Point> {
  const circle = (index: number): Point => {
    if (nodes.length === 1) return { x: 0.5, y: 0.5 };
    if (nodes.length <= 3) return { x: index / (nodes.length - 1), y: 0.5 };
    const angle = (2 * Math.PI * index) / nodes.length - Math.PI / 2;
    return { x: 0.5 + 0.5 * Math.cos(angle), y: 0.5 + 0.5 * Math.sin(angle) };
  };
  const raw = nodes.map((node, index) =>
    node.position ? { x: node.position.x / 1000, y: node.position.y / 600 } : circle(index),
  );
  const stretch = (values: number[]) => {
    const low = Math.min(...values);
    const range = Math.max(...values) - low;
    return (value: number) => (range === 0 ? 0.5 : (value - low) / range);
  };
  const sx = stretch(raw.map((p) => p.x));
  const sy = stretch(raw.map((p) => p.y));
  return new Map(nodes.map((node, i) => [node.name, { x: sx((raw[i] as Point).x), y: sy((raw[i] as Point).y) }]));
}

/** How much of the room that labels need is left between the nodes; 1 and more is enough. */
export function roomLeft(points: readonly Point[], room: Room, sizes: Sizes): number {
  const width = nodeWidth(points, room.width, sizes);
  const wide = gapInRows(points) * (room.width - width) - width;
  const high = gapInColumns(points) * (room.height - sizes.nodeHeight) - sizes.nodeHeight;
  return Math.min(wide / sizes.roomBeside, high / sizes.roomBelow);
}

/**
 * The places as they are, or with rows as columns where that leaves more room for what stands between the nodes: a chain in a
 * narrow pane hangs instead of lying. `room` is what nodes and their tags may fill.
 */
export function turnedToFit(places: ReadonlyMap<string, Point>, room: Room, sizes: Sizes): ReadonlyMap<string, Point> {
  const left = (points: readonly Point[]) => roomLeft(points, room, sizes);
  const turned = new Map([...places].map(([name, { x, y }]) => [name, { x: y, y: x }]));
  const lying = left([...places.values()]);
  return lying < 1 && left([...turned.values()]) > lying ? turned : places;
}

const gapInRows = (points: readonly Point[]) =>
  gapIn(
    points,
    (p) => p.x,
    (p) => p.y,
  );
const gapInColumns = (points: readonly Point[]) =>
  gapIn(
    points,
    (p) => p.y,
    (p) => p.x,
  );

/** The smallest distance between neighbours of one row, as a fraction; infinite when no two are in one row. */
function gapIn(points: readonly Point[], along: (p: Point) => number, row: (p: Point) => number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const a of points)
    for (const b of points)
      if (a !== b && Math.round(row(a) * 8) === Math.round(row(b) * 8))
        least = Math.min(least, Math.abs(along(a) - along(b)));
  return least;
}

/**
 * What fits when as many nodes as are in the fullest row stand side by side, with their labels between them where an address
 * can still be read then. Rows are what an author puts at one height.
 */
export function nodeWidth(places: readonly Point[], roomWidth: number, sizes: Sizes): number {
  const rows = new Map<number, number>();
  for (const { y } of places) rows.set(Math.round(y * 8), (rows.get(Math.round(y * 8)) ?? 0) + 1);
  const fullest = Math.max(1, ...rows.values());
  const fits = Math.max(sizes.nodeWidthMin, Math.min(sizes.nodeWidth, roomWidth / fullest - sizes.nodeGap));
  const gap = gapInRows(places);
  const besideLabels = gap < 1.01 ? (gap * roomWidth - sizes.roomBeside) / (gap + 1) : fits;
  return besideLabels >= sizes.nodeWidthShort ? Math.min(fits, besideLabels) : fits;
}

/** A packet rate in few characters: 0, 0.8, 12, 1.2k, 3.4M. */
export function shortRate(rate: number): string {
  if (!Number.isFinite(rate)) return "–";
  if (rate === 0) return "0";
  if (rate < 9.95) return rate.toFixed(1);
  if (rate < 999.5) return String(Math.round(rate));
  if (rate < 999_500) return `${(rate / 1000).toFixed(rate < 9_950 ? 1 : 0)}k`;
  if (rate < 999_500_000) return `${(rate / 1e6).toFixed(rate < 9.95e6 ? 1 : 0)}M`;
  return `${(rate / 1e9).toFixed(rate < 9.95e9 ? 1 : 0)}G`;
}

/** How far a cable runs beside the middle of its nodes, across its direction. */
export function laneShift(mine: Point, other: Point, lane: number, sizes: Sizes): Point {
  const hangs = Math.abs(other.y - mine.y) > Math.abs(other.x - mine.x);
  return hangs ? { x: lane * sizes.laneBeside, y: 0 } : { x: 0, y: lane * sizes.laneBelow };
}

export type TagSide = "below" | "right" | "left";

/**
 * Where a node's tags hang: below it, or beside it where a cable leaves downwards or the pane ends, on a side where no cable
 * leaves and `needed` pixels are free. `others` is where its cables lead.
 */
export function tagSide(
  at: Point,
  others: readonly Point[],
  width: number,
  needed: Room,
  pane: Room,
  sizes: Sizes,
): TagSide {
  const ways = new Set(others.map((other) => arrowOf(at, other)));
  const bottom = at.y + sizes.nodeHeight / 2 + needed.height;
  if (!ways.has("↓") && bottom <= pane.height) return "below";
  if (!ways.has("→") && at.x + width / 2 + needed.width <= pane.width) return "right";
  if (!ways.has("←") && at.x - width / 2 - needed.width >= 0) return "left";
  return "below";
}

/** Which way the other is. */
export function arrowOf(from: Point, to: Point): string {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  if (Math.abs(dx) >= Math.abs(dy)) return dx >= 0 ? "→" : "←";
  return dy >= 0 ? "↓" : "↑";
}
