// Where nodes are drawn: the author's positions where given, else a circle in the order of the file. Pure.

import type { LabNode } from "../../api/types";

export interface Point {
  x: number;
  y: number;
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

/** A packet rate in few characters: 0, 0.8, 12, 1.2k, 3.4M. */
export function shortRate(rate: number): string {
  if (!Number.isFinite(rate)) return "–";
  if (rate === 0) return "0";
  if (rate < 9.95) return rate.toFixed(1);
  if (rate < 999.5) return String(Math.round(rate));
  if (rate < 999_500) return `${(rate / 1000).toFixed(rate < 9_950 ? 1 : 0)}k`;
  return `${(rate / 1e6).toFixed(rate < 9.95e6 ? 1 : 0)}M`;
}
