import { describe, expect, it } from "vitest";
import type { LatencyCell, TracedPacket, TraceSeen, TraceStep } from "../src/api/types";
import { TraceStore } from "../src/live/trace";
import { axisOf, bucketAt, heights, lowerEdge, rowsOf } from "../src/workspace/trace/histogram";
import { duration, endWords, stateWords } from "../src/workspace/trace/trace_words";

const NODES = ["client", "server"];
const cell = (node: string, stage: LatencyCell["stage"], first: number, ...counts: number[]): LatencyCell => ({
  node,
  stage,
  first,
  counts,
});
const TRACE: TraceSeen = {
  id: "c0000000001",
  mode: "latency",
  node: "",
  protocol: "any",
  packets_wanted: 5,
  started_at: 0,
  ready: true,
  running: true,
  ended: "",
  problem: "",
  missing: [],
  cells: [cell("client", "queue", 10, 4)],
  packets: [],
  function: "",
  depth: 0,
  calls_wanted: 0,
  calls: [],
  functions: [],
  emulated: false,
  lost: 0,
};
const step = (after_ns: number, point: TraceStep["point"]): TraceStep => ({
  after_ns,
  point,
  node: "client",
  device: "eth0",
  bytes: 98,
  reason: "",
  words: "",
  place: "",
});
const packet = (end: TracedPacket["end"], ...steps: TraceStep[]): TracedPacket => ({
  number: 1,
  what: "ICMP",
  bytes: 98,
  steps,
  end,
});

describe("histograms of latency", () => {
  it("are in the order of the lab's nodes and of a packet's way", () => {
    const rows = rowsOf(
      [cell("server", "whole", 14, 1), cell("client", "stack", 12, 2), cell("client", "queue", 9, 1)],
      null,
      NODES,
    );
    expect(rows.map((row) => row.key)).toEqual(["client queue", "client stack", "server whole"]);
    expect(axisOf(rows)).toEqual({ from: 9, to: 14 });
  });

  it("with a mark show what has come since, and what was before", () => {
    const mark = [cell("client", "queue", 10, 4, 1)];
    const [row, other] = rowsOf([cell("client", "queue", 10, 4, 3, 7), cell("server", "wire", 11, 2)], mark, NODES);
    expect(row && [...row.counts]).toEqual([
      [11, 2],
      [12, 7],
    ]);
    expect(row?.total).toBe(9);
    expect(row?.before && [...row.before]).toEqual([
      [10, 4],
      [11, 1],
    ]);
    expect(other?.total).toBe(2);
    expect(other?.before?.size).toBe(0);
  });

  it("say in which bucket a share of the packets has come", () => {
    const counts = new Map([
      [12, 1],
      [10, 98],
      [15, 1],
    ]);
    expect([0.5, 0.99, 1].map((share) => bucketAt(counts, share))).toEqual([10, 12, 15]);
    expect(bucketAt(new Map(), 0.5)).toBeNull();
  });

  it("are as high as their highest bucket", () => {
    expect(
      heights(
        new Map([
          [10, 4],
          [12, 1],
        ]),
        { from: 10, to: 13 },
      ),
    ).toEqual([1, 0, 0.25, 0]);
    expect(axisOf([])).toEqual({ from: 10, to: 14 });
    expect([lowerEdge(1), lowerEdge(11)]).toEqual([1, 1024]);
  });
});

describe("words of a trace", () => {
  it("write durations with three digits", () => {
    expect([0, 512, 1024, 33_554_432, 999_960, 134_217_728, 4.2e9].map(duration)).toEqual([
      "0 ns",
      "512 ns",
      "1.02 µs",
      "33.6 ms",
      "1 ms",
      "134 ms",
      "4.2 s",
    ]);
  });

  it("say how a packet has ended", () => {
    expect(endWords(packet("dropped", step(0, "queued"), step(1500, "dropped")))).toBe("dropped after 1.5 µs");
    expect(endWords(packet("copied", step(0, "queued"), step(80_000, "copied")))).toBe("read by a program after 80 µs");
    expect(endWords(packet("", step(0, "queued")))).toBe("not seen any further");
  });

  it("say what it does", () => {
    expect(stateWords(TRACE)).toBe("Measuring");
    expect(stateWords({ ...TRACE, ready: false })).toBe("Compiling …");
    expect(stateWords({ ...TRACE, mode: "way", packets: [packet("")] })).toBe("Waiting for 4 more packets");
    expect(stateWords({ ...TRACE, running: false, ended: "you stopped it" })).toBe("Ended: you stopped it");
  });
});

describe("the store", () => {
  it("keeps the newest, and a mark until it is cleared", () => {
    const store = new TraceStore();
    let told = 0;
    store.subscribe(() => told++);
    expect(store.get()).toBeUndefined();
    store.take({ kind: "trace", run: "r", generation: 1, at: 1, command: null, v: 1, trace: TRACE } as never);
    store.mark();
    expect(store.marked).toBeNull();
    const more = { ...TRACE, cells: [cell("client", "queue", 10, 9)] };
    store.take({ kind: "trace", run: "r", generation: 1, at: 2, command: null, v: 1, trace: more } as never);
    expect(store.marked).toEqual(more.cells);
    store.clear();
    expect([store.marked, store.get(), told]).toEqual([null, undefined, 3]);
  });
});
