// Which lines the charts draw, from the lab's list of counters. Pure. A line is a sum of counters, a name and a colour.

import type { CounterSchema } from "../../api/types";
import { seriesToken } from "../../ui/theme";

export interface Series {
  /** Stable over schema changes of the same lab. */
  key: string;
  label: string;
  /** What a lab's checks call it. */
  name: string;
  /** Design token of its colour. */
  colour: string;
  dashed: boolean;
  counters: number[];
  /** Computed by the host, not counted by the kernel. */
  derived: boolean;
}

const XDP_ACTIONS: readonly [name: string, label: string, colour: string][] = [
  ["xdp_pass", "PASS", "xdp-pass"],
  ["xdp_drop", "DROP", "xdp-drop"],
  ["xdp_tx", "TX", "xdp-tx"],
  ["xdp_redirect", "REDIRECT", "xdp-redirect"],
  ["xdp_errors", "errors", "xdp-aborted"],
  ["xdp_generic_pass", "PASS generic", "xdp-pass"],
  ["xdp_generic_drop", "DROP generic", "xdp-drop"],
];
/** The driver's counters, and what the host measures of programs in generic mode: there once an interface was in it. */
const XDP_KINDS: readonly string[] = ["xdp", "xdp_generic"];

/** One line per XDP action and mode (generic dashed), of one interface (`node:interface`) or of the whole lab (""). */
export function xdpSeries(schema: CounterSchema, where: string): Series[] {
  return XDP_ACTIONS.map(([name, label, colour]) => {
    const counters: number[] = [];
    let derived = false;
    schema.counters.forEach((counter, index) => {
      if (!XDP_KINDS.includes(counter.kind) || counter.name !== name) return;
      if (where && `${counter.node}:${counter.object}` !== where) return;
      counters.push(index);
      derived ||= counter.derived;
    });
    return { key: name, label, name, colour, dashed: name.startsWith("xdp_generic_"), counters, derived };
  }).filter((series) => series.counters.length > 0);
}

/** Interfaces that count XDP, in the lab's order. */
export function xdpPlaces(schema: CounterSchema): string[] {
  return [...new Set(schema.counters.filter((c) => XDP_KINDS.includes(c.kind)).map((c) => `${c.node}:${c.object}`))];
}

/** Two lines per interface in one colour: received, and sent dashed. `coloured` are those that have one elsewhere, too. */
export function packetSeries(schema: CounterSchema, coloured: ReadonlyMap<string, string> = new Map()): Series[] {
  const places: string[] = [];
  const found: Series[] = [];
  schema.counters.forEach((counter, index) => {
    if (counter.kind !== "interface" || (counter.name !== "rx_packets" && counter.name !== "tx_packets")) return;
    const place = `${counter.node}:${counter.object}`;
    if (!places.includes(place) && !coloured.has(place)) places.push(place);
    const direction = counter.name.slice(0, 2);
    found.push({
      key: `${place} ${direction}`,
      label: `${place} ${direction}`,
      name: counter.name,
      colour: coloured.get(place) ?? seriesToken(coloured.size + places.indexOf(place)),
      dashed: direction === "tx",
      counters: [index],
      derived: counter.derived,
    });
  });
  return found;
}
