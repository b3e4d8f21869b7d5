import { encode } from "@msgpack/msgpack";
import { describe, expect, it } from "vitest";
import type { Counter, CounterSchema } from "../src/api/types";
import { CounterStore } from "../src/live/counters";
import { DELTA, decodeFrame, type Frame, FULL } from "../src/live/frames";
import { rateAt, readRateAt, SampleRing } from "../src/live/ring";
import { xdpPlaces, xdpSeries } from "../src/workspace/counters/series";

describe("SampleRing", () => {
  it("keeps the newest rows only", () => {
    const ring = new SampleRing(2, 4);
    for (let t = 1; t <= 10; t++) ring.push(t, [t, t * 10]);
    expect(ring.length).toBe(4);
    expect([0, 1, 2, 3].map((row) => [ring.timeAt(row), ring.valueAt(row, 1)])).toEqual([
      [7, 70],
      [8, 80],
      [9, 90],
      [10, 100],
    ]);
  });

  it("refuses rows that are not newer", () => {
    const ring = new SampleRing(1, 4);
    expect(ring.push(5, [1])).toBe(true);
    expect(ring.push(5, [2])).toBe(false);
    expect(ring.push(4, [3])).toBe(false);
    expect(ring.length).toBe(1);
  });

  it("finds the row that holds at a time", () => {
    const ring = new SampleRing(1, 8);
    for (const t of [1, 2, 4]) ring.push(t, [t]);
    expect([0.5, 1, 3.9, 4, 99].map((t) => ring.rowAt(t))).toEqual([-1, 0, 1, 2, 2]);
  });
});

describe("readRateAt", () => {
  const ring = new SampleRing(1, 200);
  let bytes = 0;
  // read every 1.2 s, told of every 0.1 s, as on a busy machine; quiet from 12 s on
  for (let tick = 0; tick <= 200; tick += 1) {
    if (tick % 12 === 0 && tick <= 120) bytes += 1200;
    ring.push(tick / 10, [bytes]);
  }

  it("is steady between readings that come late", () => {
    for (let tick = 25; tick <= 130; tick += 1) expect(readRateAt(ring, [0], tick / 10 + 0.05)).toBeCloseTo(1000);
    expect(rateAt(ring, [0], 9.5, 1)).toBe(0);
  });

  it("is zero once a reading would have come, and unknown before anything was", () => {
    expect(readRateAt(ring, [0], 14.5)).toBe(0);
    expect(readRateAt(ring, [0], -1)).toBeNaN();
  });
});

describe("a steady ring", () => {
  const steadyRing = (...rows: [number, number][]) => {
    const ring = new SampleRing(1, 16, true);
    for (const [time, value] of rows) ring.push(time, [value]);
    return ring;
  };

  it("spreads what ticks far apart have seen over the time between them", () => {
    const ring = steadyRing([0, 0], [10, 0], [14, 40], [14.5, 45]);
    expect(rateAt(ring, [0], 10, 1)).toBe(0);
    expect([11, 12, 14].map((time) => rateAt(ring, [0], time, 1))).toEqual([10, 10, 10]);
  });

  it("keeps its last rate until the next tick, and not for ever", () => {
    const ring = steadyRing([0, 0], [4, 40]);
    expect(rateAt(ring, [0], 6, 1)).toBe(10);
    expect(rateAt(ring, [0], 9.5, 1)).toBeNaN();
  });

  it("knows nothing where nothing is known, and sees no packet come back", () => {
    const ring = steadyRing([0, 40], [2, 0], [4, 20]);
    expect(rateAt(ring, [0], 2, 1)).toBe(0);
    ring.pushUnknown(5);
    ring.push(8, [60]);
    expect(rateAt(ring, [0], 7, 1)).toBeNaN();
    expect(rateAt(ring, [0], 4, 1)).toBe(10);
  });
});

describe("rateAt", () => {
  it("is the change in the window, also when nothing was sent because nothing changed", () => {
    const ring = new SampleRing(1, 100);
    ring.push(0, [100]);
    ring.push(10, [105]); // nothing was said for ten seconds: the five packets came just now
    expect(rateAt(ring, [0], 9.9, 1)).toBe(0);
    expect(rateAt(ring, [0], 10, 1)).toBe(5);
    expect(rateAt(ring, [0], 11.5, 1)).toBe(0);
  });

  it("adds up counters, and a counter that starts anew gives no negative packets", () => {
    const ring = new SampleRing(2, 10);
    ring.push(0, [1000, 5]);
    ring.push(1, [3, 9]);
    expect(rateAt(ring, [0, 1], 1, 1)).toBe(4);
  });

  it("is unknown before the first row and across a hole", () => {
    const ring = new SampleRing(1, 10);
    ring.push(5, [1]);
    expect(rateAt(ring, [0], 5, 1)).toBeNaN();
    ring.pushUnknown(6);
    ring.push(20, [500]);
    expect(rateAt(ring, [0], 20.5, 1)).toBeNaN();
    expect(rateAt(ring, [0], 21, 1)).toBe(0);
  });
});

describe("decodeFrame", () => {
  it("reads what the server packs, with values beyond 32 bits", () => {
    const frame = decodeFrame(encode([FULL, 3, 17, 1_800_000_000.25, [0, 1, 2 ** 40, 2 ** 52]]));
    expect(frame).toEqual({
      kind: 0,
      schemaVersion: 3,
      number: 17,
      sampledAt: 1_800_000_000.25,
      values: [0, 1, 2 ** 40, 2 ** 52],
    });
  });

  it("reads the bytes that Python's msgpack writes", () => {
    // msgpack.packb([1, 2, 3, 1.5, [0, 7, 2, 4294967296]])
    const packed = "95010203cb3ff8000000000000940007" + "02cf0000000100000000";
    expect(decodeFrame(Buffer.from(packed, "hex"))?.values).toEqual([0, 7, 2, 4294967296]);
  });

  it.each([
    [new Uint8Array([0xc1])],
    [encode("x")],
    [encode([0, 1, 2])],
    [encode([7, 1, 1, 1, []])],
    [new Uint8Array(0)],
  ])("refuses %j", (bytes) => expect(decodeFrame(bytes as Uint8Array)).toBeNull());
});

const SCHEMA: CounterSchema = {
  run: "r1",
  version: 1,
  counters: [
    { node: "a", object: "eth0", kind: "interface", name: "rx_packets", unit: "packets", derived: false },
    { node: "b", object: "eth0", kind: "interface", name: "rx_packets", unit: "packets", derived: false },
  ],
};
const frame = (kind: 0 | 1, number: number, sampledAt: number, values: number[], schemaVersion = 1): Frame => ({
  kind,
  schemaVersion,
  number,
  sampledAt,
  values,
});

function store() {
  const clock = { s: 0 };
  const made = new CounterStore(() => clock.s);
  made.setSchema(SCHEMA);
  return { made, clock };
}

describe("CounterStore", () => {
  it("adds differences to the full sample", () => {
    const { made } = store();
    expect(made.take(frame(FULL, 1, 10, [5, 50]))).toBe("taken");
    expect(made.take(frame(DELTA, 2, 10.1, [1, 3]))).toBe("taken");
    expect(made.take(frame(DELTA, 3, 10.2, [0, 1, 1, 1]))).toBe("taken");
    expect([made.latest(0), made.latest(1)]).toEqual([6, 54]);
  });

  it("asks for a full frame after a gap and goes on with it", () => {
    const { made } = store();
    made.take(frame(FULL, 1, 10, [5, 50]));
    expect(made.take(frame(DELTA, 3, 10.2, [0, 1]))).toBe("need_full");
    expect(made.latest(0)).toBe(5);
    expect(made.take(frame(FULL, 4, 10.3, [9, 59]))).toBe("taken");
    expect(made.take(frame(DELTA, 5, 10.4, [0, 1]))).toBe("taken");
    expect(made.latest(0)).toBe(10);
  });

  it("does not believe a frame of a schema that it does not have, nor one that does not fit", () => {
    const { made } = store();
    expect(made.take(frame(FULL, 1, 10, [5, 50, 500], 2))).toBe("need_full");
    expect(made.take(frame(FULL, 1, 10, [5]))).toBe("need_full");
    made.take(frame(FULL, 1, 10, [5, 50]));
    expect(made.take(frame(DELTA, 2, 10.1, [7, 1]))).toBe("need_full");
  });

  it("puts history before the live values", () => {
    const { made } = store();
    for (let t = 0; t < 60; t++) made.take(frame(FULL, 0, t, [t, 2 * t]));
    expect(made.take(frame(DELTA, 77, 60.1, [0, 1]))).toBe("need_full");
    made.take(frame(FULL, 78, 60.2, [60, 120]));
    expect(made.rate([0], 30)).toBe(1);
    expect(made.rate([1], 30)).toBe(2);
    expect(made.ring.length).toBe(61);
  });

  it("carries the host's time on while the lab is quiet", () => {
    const { made, clock } = store();
    made.take(frame(FULL, 1, 1000, [5, 50]));
    clock.s = 7;
    expect(made.now()).toBe(1007);
    expect(made.rate([0], made.now())).toBe(0);
  });

  it("does not invent values for the time of a lost connection", () => {
    const { made, clock } = store();
    made.take(frame(FULL, 1, 1000, [5, 50]));
    clock.s = 2;
    made.interrupted();
    expect(made.rate([0], 1002.5)).toBeNaN();
    expect(made.take(frame(DELTA, 2, 1003, [0, 1]))).toBe("need_full");
    made.take(frame(FULL, 9, 1010, [900, 50]));
    expect(made.rate([0], 1010.5)).toBeNaN();
    expect(made.rate([0], 1011)).toBe(0);
  });

  it("keeps the lines of counters that stay when the list changes, and starts anew with another lab", () => {
    const { made } = store();
    let told = 0;
    made.onSchema(() => {
      told += 1;
    });
    made.take(frame(FULL, 1, 10, [5, 50]));
    made.take(frame(FULL, 2, 11, [8, 50]));
    made.setSchema(SCHEMA);
    expect(told).toBe(0);
    const generic = { ...(SCHEMA.counters[0] as Counter), kind: "xdp_generic", name: "xdp_generic_drop" };
    made.setSchema({ ...SCHEMA, version: 2, counters: [generic, ...SCHEMA.counters] });
    expect(told).toBe(1);
    expect([made.rate([1], 11), made.rate([2], 11)]).toEqual([3, 0]);
    expect(made.rate([0], 11)).toBeNaN();
    expect(made.take(frame(DELTA, 3, 12, [0, 1], 2))).toBe("need_full");
    made.take(frame(FULL, 4, 12, [7, 9, 50], 2));
    expect(made.rate([1], 12)).toBe(1);
    expect(made.rate([0, 1], 12)).toBe(1);
    made.take(frame(DELTA, 5, 13, [0, 4], 2));
    expect(made.rate([0, 1], 13)).toBe(4);
    made.setSchema({ ...SCHEMA, run: "r2" });
    expect(made.ring.length).toBe(0);
  });

  it("goes on with the same counters after a reset, which count from 0 again", () => {
    const { made } = store();
    made.take(frame(FULL, 1, 10, [500, 50]));
    made.setSchema({ ...SCHEMA, version: 2 });
    expect(made.take(frame(DELTA, 2, 11, [0, 1], 2))).toBe("need_full");
    expect(made.take(frame(FULL, 3, 20, [3, 0], 2))).toBe("taken");
    expect(made.rate([0], 21)).toBe(0);
    expect(made.ring.rowAt(10)).toBe(0);
  });
});

describe("xdpSeries", () => {
  const counter = (object: string, kind: string, name: string, derived = false): Counter => ({
    node: "server",
    object,
    kind,
    name,
    unit: "packets",
    derived,
  });
  const schema: CounterSchema = {
    run: "r1",
    version: 1,
    counters: [
      counter("eth0", "xdp", "xdp_drop"),
      counter("eth0", "xdp", "xdp_pass", true),
      counter("eth0", "xdp_generic", "xdp_generic_packets", true),
      counter("eth0", "xdp_generic", "xdp_generic_drop"),
      counter("eth0", "xdp_generic", "xdp_generic_pass", true),
      counter("eth1", "xdp", "xdp_drop"),
      counter("tun0", "xdp_generic", "xdp_generic_drop"),
    ],
  };

  it("shows what is dropped in generic mode beside the driver's drops, and what is derived as such", () => {
    expect(xdpSeries(schema, "").map((s) => [s.label, s.counters, s.dashed, s.derived])).toEqual([
      ["PASS", [1], false, true],
      ["DROP", [0, 5], false, false],
      ["PASS generic", [4], true, true],
      ["DROP generic", [3, 6], true, false],
    ]);
    expect(xdpSeries(schema, "server:eth1").map((s) => s.label)).toEqual(["DROP"]);
  });

  it("offers every interface that counts XDP in either mode", () => {
    expect(xdpPlaces(schema)).toEqual(["server:eth0", "server:eth1", "server:tun0"]);
  });
});
