import { describe, expect, it } from "vitest";
import type { Impairment, LabSwitch } from "../src/api/types";
import { packetSeries } from "../src/workspace/counters/series";
import { kernelSentence, shortRelease } from "../src/workspace/progress/kernel_words";
import { cablesOf, impairmentOf, impairmentWords, portPlaces } from "../src/workspace/topology/cables";
import { changesOf, clearingOf, typedOf } from "../src/workspace/topology/impair_form";
import { arrowOf } from "../src/workspace/topology/layout";

const SWITCH: LabSwitch = {
  name: "sw0",
  node: "box",
  conduit: "eth0",
  tagger: "dsa",
  ports: [
    { name: "lan1", to: "h1:eth0" },
    { name: "lan2", to: "h2:eth0" },
  ],
};
const DELAY: Impairment = {
  node: "h1",
  interface: "eth0",
  delay_ms: 20,
  jitter_ms: 5,
  loss_percent: 0.5,
  rate_kbit: 2000,
};

describe("cables", () => {
  it("are links and what is plugged into switches, in the colour of the port", () => {
    expect(cablesOf([{ kind: "veth", ends: ["a:eth0", "b:eth0"] }], [SWITCH])).toEqual([
      { ends: ["a:eth0", "b:eth0"], colour: "" },
      { ends: ["box:lan1", "h1:eth0"], colour: "series-1" },
      { ends: ["box:lan2", "h2:eth0"], colour: "series-2" },
    ]);
  });

  it("have one colour in the charts, too, and nobody else has it", () => {
    const counters = ["lan2", "eth0", "lan1"].map((object) => ({
      node: "box",
      object,
      kind: "interface",
      name: "rx_packets",
      unit: "packets",
      derived: false,
    }));
    const series = packetSeries({ run: "r", version: 1, counters }, portPlaces([SWITCH]));
    expect(series.map((s) => s.colour)).toEqual(["series-2", "series-3", "series-1"]);
  });

  it("say in words what they do to packets", () => {
    expect(impairmentWords(DELAY)).toBe("20 ms ± 5, 0.5 % loss, 2 Mbit/s");
    expect(impairmentWords({ ...DELAY, delay_ms: 0, jitter_ms: 0, rate_kbit: 512 })).toBe("0.5 % loss, 512 kbit/s");
    expect(impairmentWords(impairmentOf([DELAY], "h2:eth0"))).toBe("");
  });

  it("point to the other end", () => {
    expect(arrowOf({ x: 0, y: 0 }, { x: 10, y: 3 })).toBe("→");
    expect(arrowOf({ x: 0, y: 9 }, { x: 3, y: 0 })).toBe("↑");
  });
});

describe("the impairment form", () => {
  it("asks only for ends that change, with nothing where nothing was typed", () => {
    const typed = {
      "h1:eth0": typedOf(DELAY),
      "box:lan1": { ...typedOf(impairmentOf([], "box:lan1")), loss_percent: "2.5" },
    };
    expect(changesOf([DELAY], typed)).toEqual([
      { node: "box", interface: "lan1", delay_ms: 0, jitter_ms: 0, loss_percent: 2.5, rate_kbit: 0 },
    ]);
  });

  it("clears only what is impaired", () => {
    expect(clearingOf([DELAY], ["h1:eth0", "box:lan1"]).map((i) => [i.node, i.delay_ms])).toEqual([["h1", 0]]);
    expect(clearingOf([], ["h1:eth0", "box:lan1"])).toEqual([]);
  });
});

describe("the kernel", () => {
  it("is named, and whose it is", () => {
    expect(shortRelease("6.12.107-netlab")).toBe("6.12.107");
    expect(shortRelease("")).toBe("");
    expect(kernelSentence("vm", "private", "6.12.107")).toBe("Runs in its own kernel 6.12.107, in a VM.");
    expect(kernelSentence("namespaces", "strangers", "6.18")).toContain("host's kernel 6.18, shared");
  });
});
