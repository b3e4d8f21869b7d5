// Which charts a lab has, from its list of counters: those of what its counters are about, in one order. Pure.

import type { CounterSchema } from "../../api/types";
import { seriesToken } from "../../ui/theme";
import { isLoss, placeOf, whereWords } from "./counter_words";
import { packetSeries, type Series, xdpSeries } from "./series";

export type ChartId =
  | "xdp"
  | "packets"
  | "bits"
  | "losses"
  | "events"
  | "pages"
  | "backlog"
  | "tunnels"
  | "rtt"
  | "cwnd"
  | "programs";

export interface ChartGroup {
  id: ChartId;
  title: string;
  /** Of the values in the chart. */
  unit: string;
  /** How a value comes from a counter's change per second; "value": it is the counter itself; "read_…": of one that is read
   * once a second. */
  measure: "rate" | "bits" | "read_rate" | "read_bits" | "value";
  series: Series[];
}

type Colours = ReadonlyMap<string, string>;

/** `where`: the interface of the XDP chart, "" for all. A chart without lines is left out. */
export function chartGroups(schema: CounterSchema, ports: Colours, where: string): ChartGroup[] {
  const packets = packetSeries(schema, ports);
  const colours: Colours = new Map(packets.map((s) => [s.key.replace(/ [rt]x$/, ""), s.colour]));
  const all: ChartGroup[] = [
    { id: "xdp", title: "XDP actions", unit: "packets/s", measure: "rate", series: xdpSeries(schema, where) },
    { id: "packets", title: "Packets", unit: "packets/s", measure: "rate", series: packets },
    { id: "bits", title: "Traffic", unit: "bit/s", measure: "bits", series: byteSeries(schema, colours) },
    {
      id: "losses",
      title: "Drops and errors",
      unit: "packets/s",
      measure: "rate",
      series: lossSeries(schema, colours),
    },
    { id: "events", title: "Events", unit: "per second", measure: "rate", series: eventSeries(schema) },
    { id: "pages", title: "Pages in page pools", unit: "pages", measure: "value", series: pageSeries(schema) },
    { id: "backlog", title: "Waiting in queues", unit: "bytes", measure: "value", series: backlog(schema, colours) },
    { id: "tunnels", title: "Tunnels", unit: "bit/s", measure: "read_bits", series: tunnelSeries(schema) },
    {
      id: "rtt",
      title: "TCP: round-trip time",
      unit: "µs",
      measure: "value",
      series: flowSeries(schema, "tcp_flow_rtt"),
    },
    {
      id: "cwnd",
      title: "TCP: congestion window",
      unit: "packets",
      measure: "value",
      series: flowSeries(schema, "tcp_flow_cwnd"),
    },
    { id: "programs", title: "Programs run", unit: "per second", measure: "read_rate", series: programSeries(schema) },
  ];
  return all.filter((group) => group.series.length > 0);
}

/** What the lab wants on top comes first. */
export function inOrderOf(wanted: readonly string[], groups: readonly ChartGroup[]): ChartGroup[] {
  const first = wanted.flatMap((id) => groups.filter((group) => group.id === id));
  return [...first, ...groups.filter((group) => !first.includes(group))];
}

function byteSeries(schema: CounterSchema, colours: Colours): Series[] {
  return linesOf(schema, (name, kind) => kind === "interface" && /^[rt]x_bytes$/.test(name)).map((line) => ({
    ...line,
    label: `${line.place} ${line.name.slice(0, 2)}`,
    colour: colours.get(line.place) ?? seriesToken(0),
    dashed: line.name.startsWith("tx"),
  }));
}

/** One line per interface: all that was lost there. */
function lossSeries(schema: CounterSchema, colours: Colours): Series[] {
  const byPlace = new Map<string, number[]>();
  schema.counters.forEach((counter, index) => {
    if (isLoss(counter)) byPlace.set(placeOf(counter), [...(byPlace.get(placeOf(counter)) ?? []), index]);
  });
  return [...byPlace].map(([place, counters], at) => ({
    key: place,
    label: place.replace(/:$/, ""),
    name: "drops and errors",
    colour: colours.get(place) ?? seriesToken(colours.size + at),
    dashed: false,
    counters,
    derived: false,
  }));
}

/** What the kernel tells of nodes: one line per node and event. Neighbours change all the time; the table has them. */
function eventSeries(schema: CounterSchema): Series[] {
  return linesOf(schema, (name, kind) => kind === "event" && name !== "neighbour_updates").map((line, at) => ({
    ...line,
    label: `${line.place} ${line.name.replaceAll("_", " ")}`,
    colour: seriesToken(at),
  }));
}

function pageSeries(schema: CounterSchema): Series[] {
  return linesOf(schema, (name) => name === "page_pool_in_flight").map((line, at) => ({
    ...line,
    label: line.place,
    colour: seriesToken(at),
  }));
}

function backlog(schema: CounterSchema, colours: Colours): Series[] {
  return linesOf(schema, (name) => name === "qdisc_backlog").map((line) => ({
    ...line,
    label: line.place,
    colour: colours.get(line.place) ?? seriesToken(0),
  }));
}

function tunnelSeries(schema: CounterSchema): Series[] {
  const peers: string[] = [];
  return linesOf(schema, (name) => name === "wg_rx_bytes" || name === "wg_tx_bytes").map((line) => {
    const peer = line.key.replace(/ [^ ]+$/, "");
    if (!peers.includes(peer)) peers.push(peer);
    return {
      ...line,
      label: `${peer} ${line.name.slice(3, 5)}`,
      colour: seriesToken(peers.indexOf(peer)),
      dashed: line.name === "wg_tx_bytes",
    };
  });
}

/** A connection from one of its ends, by its ports: `client 41000 → 5201`. */
function flowSeries(schema: CounterSchema, name: string): Series[] {
  return linesOf(schema, (counter) => counter === name).map((line, at) => ({
    ...line,
    label: line.key
      .replace(/ [^ ]+$/, "")
      .replace(/:(\S+) → (\S+)$/, (_, here, there) => ` ${port(here)} → ${port(there)}`),
    colour: seriesToken(at),
  }));
}

function port(end: string): string {
  return end.slice(end.lastIndexOf(":") + 1);
}

function programSeries(schema: CounterSchema): Series[] {
  return linesOf(schema, (name) => name === "program_runs").map((line, at) => ({
    ...line,
    label: line.key.replace(/ [^ ]+$/, ""),
    colour: seriesToken(at),
  }));
}

type Line = Series & { place: string };

function linesOf(schema: CounterSchema, wanted: (name: string, kind: string) => boolean): Line[] {
  return schema.counters.flatMap((counter, index): Line[] =>
    wanted(counter.name, counter.kind)
      ? [
          {
            key: `${counter.node}:${counter.object} ${counter.name}`,
            place: counter.object ? placeOf(counter) : whereWords(counter),
            label: "",
            name: counter.name,
            colour: seriesToken(0),
            dashed: false,
            counters: [index],
            derived: counter.derived,
          },
        ]
      : [],
  );
}
