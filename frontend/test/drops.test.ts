// The list of drops: what is in it, what comes first, where it leads; and lines of counters that begin when something happens.

import { describe, expect, it } from "vitest";
import type { Counter, CounterSchema } from "../src/api/types";
import { CounterStore } from "../src/live/counters";
import { FULL } from "../src/live/frames";
import { counterWords, isLoss, whereWords } from "../src/workspace/counters/counter_words";
import { drops, explanation, inOrder, notice, type Seen } from "../src/workspace/drops/drop_list";

const packets: Counter = {
  node: "r",
  object: "eth0",
  kind: "interface",
  name: "rx_packets",
  unit: "packets",
  derived: false,
};
const drop = (name: string, words = "", object = "eth0"): Counter => ({
  ...packets,
  kind: "drop",
  name,
  words,
  object,
});

function schemaOf(version: number, ...counters: Counter[]): CounterSchema {
  return { run: "r1", version, counters };
}

function storeOf(...counters: Counter[]) {
  let time = 100;
  const store = new CounterStore(() => time);
  store.setSchema(schemaOf(1, ...counters));
  let number = 0;
  const take = (at: number, ...values: number[]) => {
    time = at;
    number += 1;
    return store.take({ kind: FULL, schemaVersion: store.schema?.version ?? 0, number, sampledAt: at, values });
  };
  return { store, take };
}

describe("the list", () => {
  it("has the drops alone, each with a link to what it means", () => {
    const listed = drops([packets, drop("IP_INNOROUTES"), { ...packets, kind: "event", name: "icmp_sent" }]);
    expect(listed.map(({ index, key }) => [index, key])).toEqual([[1, "r:eth0 IP_INNOROUTES"]]);
    expect(explanation(drop("NOT_SPECIFIED at ip6_mc_input"))).toBe("/help/drops/#NOT_SPECIFIED");
  });

  it("has the fastest first, then what moved last", () => {
    const [a, b, c] = [drop("A"), drop("B"), drop("C")];
    const { store, take } = storeOf(a, b, c);
    const rows = drops([a, b, c]);
    const seen: Seen = new Map();
    const names = () => {
      notice(seen, rows, store);
      return inOrder(rows, seen, store).map((row) => row.counter.name);
    };
    take(100, 5, 0, 0);
    expect(names()).toEqual(["A", "B", "C"]);
    take(110, 5, 7, 0);
    names();
    take(120, 5, 7, 0);
    expect(names()).toEqual(["B", "A", "C"]);
    take(130, 5, 7, 0);
    take(131, 8, 7, 4000);
    expect(names()).toEqual(["C", "A", "B"]);
  });

  it("does not turn round while two are about as fast", () => {
    const [a, b] = [drop("A"), drop("B")];
    const { store, take } = storeOf(a, b);
    const rows = drops([a, b]);
    take(100, 0, 0);
    take(101, 20, 30);
    expect(inOrder(rows, new Map(), store).map((row) => row.counter.name)).toEqual(["A", "B"]);
  });
});

it("a drop that is listed for the first time has been none before: its first burst has a rate", () => {
  const { store, take } = storeOf(packets);
  take(100, 1000);
  take(101, 1010);
  store.setSchema(schemaOf(2, packets, drop("NO_SOCKET"), { ...packets, object: "eth9" }));
  take(101.5, 1020, 40, 7);
  expect(store.rate([1], 101.5)).toBe(40);
  expect(store.rate([2], 101.5)).toBeNaN();
});

it("words are the sampler's; what a program has decided is no loss", () => {
  expect(counterWords(drop("IP_INNOROUTES", "no route to forward it"))).toBe("dropped: no route to forward it");
  expect(counterWords(drop("OF_ANOTHER_KERNEL"))).toBe("dropped: OF_ANOTHER_KERNEL");
  expect([drop("IP_INNOROUTES"), drop("XDP_DROP"), drop("NETFILTER_DROP")].map(isLoss)).toEqual([true, false, false]);
  expect(whereWords({ ...packets, object: "" })).toBe("r");
});
