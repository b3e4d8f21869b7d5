import { describe, expect, it } from "vitest";
import type { TracedCall, TraceSeen } from "../src/api/types";
import { asText, icicle, isHottest, linesOf, summed, treeOf } from "../src/workspace/trace/call_graph";
import { isName, isPreset } from "../src/workspace/trace/presets";
import { callWords } from "../src/workspace/trace/trace_words";

const NAMES = ["ip_rcv", "ip_rcv_core", "ip_rcv_finish", "tcp_v4_rcv", "net_rx_action"];
const call = (number: number, ...frames: number[]): TracedCall => ({
  number,
  after_ns: 1500,
  took_ns: frames[2] ?? 0,
  cpu: 0,
  task: "ping",
  frames,
  left_out: 0,
});
const FIRST = call(1, 0, 0, 1000, 1, 1, 1, 100, 1, 1, 2, 700, 1, 2, 3, 600, 1, 1, 1, 50, 1);
const SECOND = call(2, 0, 0, 3000, 1, 1, 1, 200, 1, 1, 4, 2500, 2);

describe("call graphs", () => {
  it("makes a tree of depths, with what is a function's own", () => {
    const root = treeOf(FIRST, NAMES);
    expect(root.children.map((child) => child.name)).toEqual(["ip_rcv_core", "ip_rcv_finish", "ip_rcv_core"]);
    expect(root.own).toBe(150);
    expect(root.children[1]?.own).toBe(100);
    const open = linesOf(root, () => true).map((line) => `${line.depth} ${line.node.name}`);
    expect(open).toEqual(["0 ip_rcv", "1 ip_rcv_core", "1 ip_rcv_finish", "2 tcp_v4_rcv", "1 ip_rcv_core"]);
    expect(linesOf(root, () => false)).toHaveLength(1);
  });

  it("marks the path that took the most, as long as it is most", () => {
    const hot = linesOf(treeOf(FIRST, NAMES), () => true).filter((line) => line.node.hot);
    expect(hot.map((line) => line.node.name)).toEqual(["ip_rcv", "ip_rcv_finish", "tcp_v4_rcv"]);
    expect(hot.filter((line) => isHottest(line.node)).map((line) => line.node.name)).toEqual(["tcp_v4_rcv"]);
    const even = treeOf(call(1, 0, 0, 1000, 0, 1, 1, 200, 0, 1, 2, 250, 0), NAMES);
    expect(even.children.some((child) => child.hot)).toBe(false);
  });

  it("says where something else than the caller begins", () => {
    const root = treeOf(SECOND, NAMES);
    expect([root.entry, ...root.children.map((child) => child.entry)]).toEqual([true, false, true]);
  });

  it("takes what it has called for the time of a call whose return was not seen", () => {
    const root = treeOf(call(1, 0, 0, 0, 0, 1, 1, 40, 0), NAMES);
    expect([root.ns, root.own, root.open]).toEqual([40, 0, true]);
  });

  it("adds up what was called on the same path, the longest first", () => {
    const sum = summed([FIRST, SECOND], NAMES);
    expect([sum?.count, sum?.ns]).toEqual([2, 4000]);
    expect(sum?.children.map((child) => [child.name, child.count, child.ns])).toEqual([
      ["net_rx_action", 1, 2500],
      ["ip_rcv_finish", 1, 700],
      ["ip_rcv_core", 3, 350],
    ]);
    expect(summed([], NAMES)).toBeNull();
    const keys = new Set(sum && linesOf(sum, () => true).map((line) => line.node.key));
    expect(keys.size).toBe(5);
  });

  it("draws boxes within their callers", () => {
    const sum = summed([FIRST, SECOND], NAMES);
    const boxes = sum ? icicle(sum) : [];
    expect(boxes[0]).toMatchObject({ depth: 0, from: 0, share: 1 });
    for (const box of boxes) expect(box.from + box.share).toBeLessThanOrEqual(1 + 1e-9);
    expect(boxes.find((box) => box.node.name === "ip_rcv_finish")?.from).toBeCloseTo(0.625);
  });

  it("prints what ftrace prints", () => {
    const trace = { calls: [SECOND], functions: NAMES } as unknown as TraceSeen;
    const lines = asText(trace).split("\n");
    expect(lines).toContain(" 0)   0.200 us    |    ip_rcv_core();");
    expect(lines).toContain(" 0)               |  ip_rcv() {");
    expect(lines).toContain(" 0)   3.000 us    |  }");
  });

  it("says when and where a call was", () => {
    expect(callWords(FIRST)).toBe("call 1, +1.5 µs, CPU 0, ping");
    expect(callWords({ ...FIRST, task: "", left_out: 3 })).toContain("a task that is gone, 3 deeper or more left out");
  });

  it("knows what may be a function's name", () => {
    expect(isPreset("ip_rcv")).toBe(true);
    expect(["ip_rcv", "a.constprop.0", "", "a b", "a;b", "x".repeat(129)].map(isName)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});
