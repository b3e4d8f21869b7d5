import { describe, expect, it } from "vitest";
import type { CounterSchema, LabSwitch, TaggedFrame } from "../src/api/types";
import { FRAMES_KEPT, FrameStore, type SeenFrame } from "../src/live/tagged_frames";
import { ALL, clockOf, portWords, SHOWN_MAX, shownFrames } from "../src/workspace/switches/frame_list";
import { offloadCounters, offloadSeries, shareSentence } from "../src/workspace/switches/offload";
import { bitRows, frameSegments, tagFields } from "../src/workspace/switches/tag_layout";

const FRAME: TaggedFrame = {
  at: 1_800_000_041.5,
  direction: "to_cpu",
  tagger: "dsa",
  port: 2,
  port_name: "lan2",
  fields: [
    ["mode", "FORWARD"],
    ["tagged", "no"],
    ["device", "0"],
    ["port", "2"],
    ["trunk", "no"],
    ["priority", "3"],
    ["vlan", "100"],
  ],
  tag: "c0106064",
  source: "02:00:00:00:00:01",
  destination: "ff:ff:ff:ff:ff:ff",
  protocol: "ARP who-has 10.0.0.2 tell 10.0.0.1",
  bytes: 64,
};

const edsa = (mode: string): TaggedFrame => ({
  ...FRAME,
  tagger: "edsa",
  tag: "dada000000080000",
  fields: [
    ["ethertype", "0xdada"],
    ["mode", mode],
    ["tagged", "yes"],
  ],
});
const trailer = (direction: TaggedFrame["direction"]): TaggedFrame => ({
  ...FRAME,
  direction,
  tagger: "trailer",
  tag: direction === "to_cpu" ? "80020000" : "80041000",
  fields: [["mark", "0x80"]],
});

describe("the tag's bits", () => {
  const everyTag = [
    FRAME,
    ...["TO_CPU", "FROM_CPU", "TO_SNIFFER", "FORWARD", "from the future"].map(edsa),
    trailer("to_cpu"),
    trailer("from_cpu"),
  ];

  it.each(everyTag)("belong to exactly one field each ($tagger $direction)", (frame) => {
    const stretches = bitRows(frame.tag, tagFields(frame)).flat();
    let next = 0;
    for (const { first, count, bits } of stretches) {
      expect(first).toBe(next);
      expect(bits).toHaveLength(count);
      next += count;
    }
    expect(next).toBe(frame.tag.length * 4);
  });

  it("are those of the values that the host names", () => {
    const bits = Object.fromEntries(
      bitRows(FRAME.tag, tagFields(FRAME))
        .flat()
        .map((s) => [s.name, s.bits]),
    );
    expect(Number.parseInt(bits.mode ?? "", 2)).toBe(3);
    expect(Number.parseInt(bits.port ?? "", 2)).toBe(2);
    expect(Number.parseInt(bits.priority ?? "", 2)).toBe(3);
    expect(Number.parseInt(bits.vlan ?? "", 2)).toBe(100);
    const port = bitRows("80020000", tagFields(trailer("to_cpu")))
      .flat()
      .find((s) => s.name === "port");
    expect(Number.parseInt(port?.bits ?? "", 2)).toBe(2);
  });

  it("of a trap's code are in two places", () => {
    const frame: TaggedFrame = { ...FRAME, tag: "00061000", fields: [["mode", "TO_CPU"]] };
    const code = bitRows(frame.tag, tagFields(frame))
      .flat()
      .filter((s) => s.name === "code");
    expect(code.map((s) => [s.first, s.bits])).toEqual([
      [13, "11"],
      [19, "1"],
    ]);
  });

  it("name only fields that the host tells", () => {
    const told = new Set(FRAME.fields.map(([name]) => name));
    expect(
      tagFields(FRAME)
        .map((f) => f.name)
        .filter((name) => name && !told.has(name)),
    ).toEqual([]);
  });

  it("are none of a frame without a tag", () => {
    expect(bitRows("", tagFields({ ...FRAME, tagger: "none" }))).toEqual([]);
  });
});

describe("the frame's layout", () => {
  const labels = (frame: TaggedFrame) => frameSegments(frame).map((s) => (s.isTag ? `TAG ${s.bytes}` : s.label));

  it("has the tag before the type, in its place, or at the end", () => {
    expect(labels(FRAME)).toEqual(["to", "from", "TAG 4", "type", "payload"]);
    expect(labels(edsa("TO_CPU"))).toEqual(["to", "from", "TAG 8", "type", "payload"]);
    expect(labels(trailer("to_cpu"))).toEqual(["to", "from", "type", "payload", "TAG 4"]);
    expect(labels({ ...FRAME, tagger: "none", tag: "" })).toEqual(["to", "from", "type", "payload"]);
  });

  it("has as many bytes as the frame", () => {
    for (const frame of [FRAME, edsa("TO_CPU"), trailer("to_cpu")]) {
      expect(frameSegments(frame).reduce((sum, s) => sum + s.bytes, 0)).toBe(frame.bytes);
    }
  });
});

describe("the frames that are kept", () => {
  const batch = (frames: TaggedFrame[], skipped = 0, name = "sw0") =>
    ({
      kind: "tagged_frames",
      run: "r",
      generation: 1,
      at: 0,
      command: null,
      node: "box",
      switch: name,
      frames,
      skipped,
    }) as const;

  it("are the newest of each switch, numbered once and for all", () => {
    const store = new FrameStore();
    for (let i = 0; i < FRAMES_KEPT + 5; i++) store.take(batch([FRAME], 1));
    store.take(batch([FRAME], 0, "sw1"));
    expect(store.of("sw0").frames).toHaveLength(FRAMES_KEPT);
    expect(store.of("sw0").frames.at(-1)?.number).toBe(FRAMES_KEPT + 5);
    expect(store.of("sw0").skipped).toBe(FRAMES_KEPT + 5);
    store.clear("sw0");
    expect(store.of("sw0").frames).toEqual([]);
    expect(store.of("sw1").frames).toHaveLength(1);
  });

  it("say that they changed, and are the same array until then", () => {
    const store = new FrameStore();
    store.take(batch([FRAME]));
    const before = [store.version, store.of("sw0").frames];
    expect([store.version, store.of("sw0").frames]).toEqual(before);
    expect(store.of("sw0").frames).toBe(before[1]);
    store.take(batch([]));
    expect(store.version).not.toBe(before[0]);
  });
});

describe("the list", () => {
  const seen = (more: Partial<TaggedFrame>[]): SeenFrame[] => more.map((m, number) => ({ ...FRAME, ...m, number }));

  it("is newest first, and no longer than anybody reads", () => {
    const frames = seen(Array.from({ length: SHOWN_MAX + 30 }, () => ({})));
    const shown = shownFrames(frames, ALL, "");
    expect(shown).toHaveLength(SHOWN_MAX);
    expect(shown[0]?.number).toBe(SHOWN_MAX + 29);
  });

  it("is of one port and one direction when asked", () => {
    const frames = seen([
      { port: 1, port_name: "lan1" },
      { direction: "from_cpu" },
      { port: -1, port_name: "lan2, lan3" },
      {},
    ]);
    const of = (filter: Parameters<typeof shownFrames>[1]) => shownFrames(frames, filter, "lan2").map((f) => f.number);
    expect(of({ port: 2, direction: "" })).toEqual([3, 2, 1]);
    expect(of({ port: 2, direction: "from_cpu" })).toEqual([1]);
    expect(of({ port: null, direction: "to_cpu" })).toEqual([3, 2, 0]);
  });

  it("names what a tag says of the port", () => {
    expect(portWords(FRAME)).toBe("lan2");
    expect(portWords({ ...FRAME, port_name: "", port: 9 })).toBe("port 9");
    expect(portWords({ ...FRAME, port_name: "", port: -1, direction: "from_cpu" })).toBe("bridge");
    expect(portWords({ ...FRAME, port_name: "", port: -1, tagger: "none" })).toBe("no tag");
    expect(clockOf(1_800_000_065.25)).toBe("05.250");
  });
});

describe("hardware and CPU", () => {
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
  const counter = (node: string, object: string, kind: string, name: string) =>
    ({ node, object, kind, name, unit: "packets", derived: false }) as const;
  const schema = (...counters: ReturnType<typeof counter>[]): CounterSchema => ({ run: "r", version: 1, counters });

  it("takes the chip's counters of its own user ports", () => {
    const found = offloadCounters(
      schema(
        counter("box", "lan1", "ethtool", "hw_switched"),
        counter("box", "lan2", "ethtool", "hw_switched"),
        counter("h1", "lan1", "ethtool", "hw_switched"),
        counter("box", "lan1", "ethtool", "hw_rx_frames"),
        counter("box", "lan1", "ethtool", "hw_to_cpu"),
        counter("box", "eth0", "interface", "rx_packets"),
      ),
      SWITCH,
    );
    expect(found).toEqual({ received: [3], switched: [0, 1], toCpu: [4] });
    expect(offloadSeries(found).map((s) => s.key)).toEqual(["switched", "cpu"]);
  });

  it("counts at the conduit where the chip does not say", () => {
    const found = offloadCounters(schema(counter("box", "eth0", "interface", "rx_packets")), SWITCH);
    expect(found.toCpu).toEqual([0]);
    expect(offloadSeries(found).map((s) => s.key)).toEqual(["cpu"]);
  });

  it.each([
    [1000, 20, "98 % of 1,000 frames never reached the CPU."],
    [100_000, 1, "99.9 % of 100,000 frames never reached the CPU."],
    [50, 0, "100 % of 50 frames never reached the CPU."],
    [12, 12, "All 12 frames of 10 s went to the CPU."],
    [12, 15, "All 12 frames of 10 s went to the CPU."],
    [0, 0, "No frame came in at a port for 10 s."],
    [Number.NaN, 3, ""],
  ])("%d frames, %d to the CPU: %s", (received, toCpu, words) => {
    expect(shareSentence(received, toCpu, 10)).toBe(words);
  });
});
