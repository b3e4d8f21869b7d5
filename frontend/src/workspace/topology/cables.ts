// What is plugged into what: the lab's links, and the cables of its switches' ports. Pure.

import type { Impairment, LabLink, LabSwitch } from "../../api/types";
import { seriesToken } from "../../ui/theme";

export interface Cable {
  /** Both written node:interface; of a switch's cable the first is the user port. */
  ends: [string, string];
  /** Colour of the port, "" for links. */
  colour: string;
}

export function cablesOf(links: readonly LabLink[], switches: readonly LabSwitch[]): Cable[] {
  const wires = links.flatMap(({ ends: [a, b] }): Cable[] => (a && b ? [{ ends: [a, b], colour: "" }] : []));
  const ports = switches.flatMap((sw) =>
    sw.ports.map(({ name, to }, index): Cable => ({ ends: [`${sw.node}:${name}`, to], colour: portColour(index) })),
  );
  return [...wires, ...ports];
}

/** For ends of links that join the same two nodes: on which lane theirs runs, counted from the middle. Ends of others have none. */
export function lanesOf(cables: readonly Cable[]): ReadonlyMap<string, number> {
  const between = new Map<string, Cable[]>();
  for (const cable of cables) {
    if (cable.colour) continue; // user ports stand side by side already
    const pair = cable.ends.map(nodeOf).sort().join(" ");
    between.set(pair, [...(between.get(pair) ?? []), cable]);
  }
  const several = [...between.values()].filter((side) => side.length > 1);
  return new Map(
    several.flatMap((side) =>
      side.flatMap(({ ends }, index) => ends.map((end) => [end, index - (side.length - 1) / 2] as const)),
    ),
  );
}

/** One colour for a port wherever it is drawn; `index` is its place in the lab. */
export function portColour(index: number): string {
  return seriesToken(index);
}

/** node:interface of every user port, with its colour. */
export function portPlaces(switches: readonly LabSwitch[]): Map<string, string> {
  return new Map(
    switches.flatMap((sw) => sw.ports.map((port, index) => [`${sw.node}:${port.name}`, portColour(index)] as const)),
  );
}

export function nodeOf(end: string): string {
  return end.slice(0, end.indexOf(":"));
}

export function interfaceOf(end: string): string {
  return end.slice(end.indexOf(":") + 1);
}

export function noImpairment(end: string): Impairment {
  return {
    node: nodeOf(end),
    interface: interfaceOf(end),
    delay_ms: 0,
    jitter_ms: 0,
    loss_percent: 0,
    rate_kbit: 0,
  };
}

export function impairmentOf(all: readonly Impairment[], end: string): Impairment {
  return all.find((i) => `${i.node}:${i.interface}` === end) ?? noImpairment(end);
}

/** "20 ms ± 5, 1 % loss, 512 kbit/s"; "" for nothing. */
export function impairmentWords(i: Impairment): string {
  const parts = [];
  if (i.delay_ms || i.jitter_ms) parts.push(`${i.delay_ms} ms${i.jitter_ms ? ` ± ${i.jitter_ms}` : ""}`);
  if (i.loss_percent) parts.push(`${i.loss_percent} % loss`);
  if (i.rate_kbit) parts.push(rateWords(i.rate_kbit));
  return parts.join(", ");
}

function rateWords(kbit: number): string {
  return kbit >= 1000 ? `${kbit / 1000} Mbit/s` : `${kbit} kbit/s`;
}
