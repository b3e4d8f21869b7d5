// Which charts a lab has, what is held still, and what a saved chart holds.

import { describe, expect, it } from "vitest";
import type { Counter, CounterSchema } from "../src/api/types";
import { CounterStore } from "../src/live/counters";
import { FULL } from "../src/live/frames";
import { chartGroups, inOrderOf } from "../src/workspace/counters/chart_groups";
import { type ChartView, Held, LIVE, stretchOf, valueAt } from "../src/workspace/counters/chart_view";
import { placeOf, shortTotal, wholeNumber } from "../src/workspace/counters/counter_words";
import { csvOf } from "../src/workspace/counters/export";
import { linkRows } from "../src/workspace/watch/LinkPane";

function counter(where: string, kind: string, name: string): Counter {
  const [, node = "", object = ""] = /^([^:]*):(.*)$/.exec(where) ?? [];
  return { node, object, kind, name, unit: "packets", derived: false };
}

function schemaOf(...counters: Counter[]): CounterSchema {
  return { run: "r1", version: 1, counters };
}

function storeWith(schema: CounterSchema, samples: [at: number, values: number[]][], clock = () => 0): CounterStore {
  const store = new CounterStore(clock);
  store.setSchema(schema);
  for (const [number, [sampledAt, values]] of samples.entries())
    store.take({ kind: FULL, schemaVersion: 1, number: number + 1, sampledAt, values });
  return store;
}

const BASIC = schemaOf(
  counter("a:eth0", "interface", "rx_packets"),
  counter("a:eth0", "interface", "tx_packets"),
  counter("a:eth0", "interface", "rx_bytes"),
  counter("a:eth0", "interface", "rx_dropped"),
  counter("a:eth0", "qdisc", "qdisc_drops"),
  counter("a:eth0", "qdisc", "qdisc_backlog"),
);

describe("the charts of a lab", () => {
  it("are those that its counters are about", () => {
    expect(chartGroups(BASIC, new Map(), "").map((g) => g.id)).toEqual(["packets", "bits", "losses", "backlog"]);
    const more = schemaOf(counter("a:eth0", "xdp", "xdp_drop"), counter("a:wg0 AbCd", "wireguard", "wg_rx_bytes"));
    expect(chartGroups(more, new Map(), "").map((g) => g.id)).toEqual(["xdp", "tunnels"]);
  });

  it("count all that an interface loses as one line, in the interface's colour", () => {
    const groups = chartGroups(BASIC, new Map([["a:eth0", "series-7"]]), "");
    const losses = groups.find((g) => g.id === "losses");
    expect(losses?.series).toMatchObject([{ label: "a:eth0", colour: "series-7", counters: [3, 4] }]);
    expect(groups.find((g) => g.id === "bits")?.series[0]?.colour).toBe("series-7");
  });

  it("have a line for each event of a node, and one for each device with page pools", () => {
    const [first] = BASIC.counters as [Counter, ...Counter[]];
    const event = (name: string): Counter => ({ ...first, node: "r", object: "", kind: "event", name });
    const pages: Counter = { ...first, kind: "page_pool", name: "page_pool_in_flight" };
    const groups = chartGroups(schemaOf(event("icmp_sent"), event("neighbour_updates"), pages), new Map(), "");
    expect(groups.map((g) => [g.id, g.measure, g.series.map((s) => s.label)])).toEqual([
      ["events", "rate", ["r icmp sent"]],
      ["pages", "value", ["a:eth0"]],
    ]);
  });
});

describe("a chart's values", () => {
  const store = storeWith(BASIC, [
    [10, [0, 0, 0, 0, 0, 500]],
    [11, [40, 0, 1000, 0, 0, 1500]],
  ]);

  it("are rates, bits or the counter itself", () => {
    expect(valueAt(store, "rate", [0], 11)).toBe(40);
    expect(valueAt(store, "bits", [2], 11)).toBe(8000);
    expect(valueAt(store, "value", [5], 11)).toBe(1500);
    expect(valueAt(store, "value", [5], 10.5)).toBe(500);
    expect(valueAt(store, "value", [5], 9)).toBeNaN();
  });

  it("stay as they were while they are held", () => {
    const held = new Held(store);
    store.take({ kind: FULL, schemaVersion: 1, number: 3, sampledAt: 12, values: [90, 0, 0, 0, 0, 0] });
    expect(valueAt(store, "rate", [0], 12)).toBe(50);
    expect(held.now()).toBe(11);
    expect(held.ring.newestTime).toBe(11);
    expect(valueAt(held, "rate", [0], held.now())).toBe(40);
  });

  it("that are held keep the columns that they have had", () => {
    const growing = storeWith(BASIC, [[10, [0, 0, 0, 0, 0, 500]]]);
    const held = new Held(growing);
    const [first] = BASIC.counters as [Counter, ...Counter[]];
    growing.setSchema({
      ...BASIC,
      version: 2,
      counters: [{ ...first, kind: "event", name: "new" }, ...BASIC.counters],
    });
    expect(held.schema).toBe(BASIC);
    expect(held.ring.width).toBe(BASIC.counters.length);
  });
});

describe("a stretch that was dragged over", () => {
  it("runs from its older to its newer end, within the minute", () => {
    expect(stretchOf(12, 30)).toEqual([30, 12]);
    expect(stretchOf(99, -5)).toEqual([60, 0]);
  });
  it("is nothing when it was a click", () => {
    expect(stretchOf(12, 11.8)).toBeNull();
  });
});

describe("a saved chart", () => {
  it("has a row a tenth of a second and a column a line, and quotes what needs it", () => {
    const store = storeWith(BASIC, [
      [1_800_000_000, [0, 0, 0, 0, 0, 0]],
      [1_800_000_001, [30, 6, 0, 0, 0, 0]],
    ]);
    const group = chartGroups(BASIC, new Map(), "").find((g) => g.id === "packets");
    if (!group) throw new Error("no chart of packets");
    const odd = { ...group, series: group.series.map((s) => ({ ...s, label: `${s.label}, "here"` })) };
    const view: ChartView = { ...LIVE, stretch: [0.2, 0] };
    const lines = csvOf(odd, store, view).trimEnd().split("\r\n");
    expect(lines[0]).toBe('time,"a:eth0 rx, ""here"" [packets/s]","a:eth0 tx, ""here"" [packets/s]"');
    expect(lines.at(-1)).toBe("2027-01-15T08:00:01.000Z,30,6");
    expect(lines).toHaveLength(2); // before there was a second of samples nothing is known
  });
});

it("a lab's own charts come first, in its order", () => {
  const groups = chartGroups(BASIC, new Map(), "");
  expect(inOrderOf(["backlog", "cwnd", "bits"], groups).map((g) => g.id)).toEqual([
    "backlog",
    "bits",
    "packets",
    "losses",
  ]);
});

describe("what is read once a second", () => {
  it("has charts of connections by their ports, and of programs by where they are attached", () => {
    const schema = schemaOf(
      counter("a:10.0.0.1:41000 → 10.0.0.2:5201", "tcp_flow", "tcp_flow_rtt"),
      counter("b:[fd00::2]:5201 → [fd00::1]:41000", "tcp_flow", "tcp_flow_cwnd"),
      counter("a:eth0 xdp_filter", "program", "program_runs"),
    );
    const groups = chartGroups(schema, new Map(), "");
    expect(groups.map((g) => [g.id, g.measure, g.series[0]?.label])).toEqual([
      ["rtt", "value", "a 41000 → 5201"],
      ["cwnd", "value", "b 5201 → 41000"],
      ["programs", "read_rate", "a:eth0 xdp_filter"],
    ]);
  });
});

describe("a link's table", () => {
  it("puts what both ends count beside each other, a tunnel's peers apart", () => {
    const schema = schemaOf(
      counter("a:eth0", "interface", "rx_packets"),
      counter("b:eth1", "interface", "rx_packets"),
      counter("b:eth1", "interface", "rx_dropped"),
      counter("b:eth1 AbCd", "wireguard", "wg_rx_bytes"),
      counter("c:eth0", "interface", "rx_packets"),
    );
    expect(linkRows(schema, ["a:eth0", "b:eth1"])).toMatchObject([
      { words: "packets received", ends: [0, 1], loss: false },
      { words: "dropped while receiving", ends: [null, 2], loss: true },
      { words: "tunnel: bytes received AbCd", ends: [null, 3] },
    ]);
  });
});

it("a peer's counters are at its tunnel; large numbers are grouped", () => {
  expect(placeOf(counter("a:wg0 AbCd", "wireguard", "wg_rx_bytes"))).toBe("a:wg0");
  expect([99_999, 100_000, 2_459_738, 5e12, Number.NaN].map(shortTotal)).toEqual([
    "99,999",
    "100.0k",
    "2.460M",
    "5.000T",
    "–",
  ]);
  expect([wholeNumber(1234567), wholeNumber(Number.NaN)]).toEqual(["1,234,567", "–"]);
});
