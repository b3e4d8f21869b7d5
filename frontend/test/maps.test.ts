import { describe, expect, it } from "vitest";
import type { MapField, SeenMap } from "../src/api/types";
import { MapStore, type MapsEvent } from "../src/live/maps";
import { ariaSort, FIRST_ORDER, inOrder, pressed } from "../src/workspace/maps/map_order";
import { aboutMap, leftOut, mapViews, rateText } from "../src/workspace/maps/map_view";

const field = (name: string, kind: MapField["kind"] = "unsigned", counts = true): MapField => ({ name, kind, counts });

const SEEN: SeenMap = {
  id: 7,
  node: "server",
  name: "seen",
  type: "percpu_array",
  program: "parse",
  per_cpu: true,
  max_entries: 2,
  key: [field("", "text", false)],
  value: [field("")],
  rows: [
    ["IPV4", 10],
    ["IPV6", 4],
  ],
  zeros: 0,
  more: 0,
  unread: false,
  note: "",
};

function read(...readings: Partial<SeenMap>[]) {
  const store = new MapStore();
  readings.forEach((change, at) => {
    store.take({
      run: "r",
      generation: 1,
      at: 100 + 2 * at,
      command: null,
      kind: "maps",
      maps: [{ ...SEEN, ...change }],
      more: 0,
    } as MapsEvent);
  });
  const reading = store.get();
  if (!reading) throw new Error("nothing was taken");
  const [view] = mapViews(reading);
  if (!view) throw new Error("no map");
  return view;
}

describe("maps", () => {
  it("knows neither change nor rate at first", () => {
    expect(read({}).rows.map((row) => row.value)).toEqual([
      [{ text: "10", changed: false, rate: null }],
      [{ text: "4", changed: false, rate: null }],
    ]);
  });

  it("tells what changed, and how fast it counts", () => {
    const view = read(
      {},
      {
        rows: [
          ["IPV4", 1510],
          ["IPV6", 4],
        ],
      },
    );
    expect(view.rows[0]?.value[0]).toEqual({ text: "1,510", changed: true, rate: 750 });
    expect(view.rows[1]?.value[0]).toEqual({ text: "4", changed: false, rate: 0 });
  });

  it("pairs entries by their key, wherever they stand", () => {
    const view = read(
      {},
      {
        rows: [
          ["ARP", 1],
          ["IPV4", 10],
        ],
      },
    );
    expect(view.rows.map((row) => [row.key[0], row.fresh])).toEqual([
      ["ARP", true],
      ["IPV4", false],
    ]);
    expect(view.rows[1]?.value[0]?.changed).toBe(false);
  });

  it("begins anew when the map is another, or counts down", () => {
    expect(read({}, { id: 8, rows: [["IPV4", 900]] }).rows[0]).toMatchObject({
      fresh: false,
      value: [{ rate: null, changed: false }],
    });
    expect(read({}, { rows: [["IPV4", 3]] }).rows[0]?.value[0]).toEqual({ text: "3", changed: true, rate: null });
  });

  it("counts beyond what JavaScript holds exactly", () => {
    const huge = (last: string) => ({ rows: [["IPV4", `1844674407370955${last}`]] });
    expect(read(huge("1000"), huge("1004")).rows[0]?.value[0]).toEqual({
      text: "18446744073709551004",
      changed: true,
      rate: 2,
    });
  });

  it("reads a single entry of many fields from top to bottom", () => {
    const value = ["a", "b", "c", "d"].map((name) => field(name));
    expect(read({ value, rows: [["0", 1, 2, 3, 4]] }).upright).toBe(true);
    expect(
      read({
        value,
        rows: [
          ["0", 1, 2, 3, 4],
          ["1", 1, 2, 3, 4],
        ],
      }).upright,
    ).toBe(false);
  });

  it("says what is left out", () => {
    expect(leftOut(SEEN)).toBe("");
    expect(leftOut({ ...SEEN, zeros: 4090 })).toBe("Not shown: 4,090 elements that are zero.");
    expect(leftOut({ ...SEEN, more: 448, unread: true })).toBe("Not shown: at least 448 more entries.");
    expect(leftOut({ ...SEEN, zeros: 3, unread: true })).toBe(
      "Not shown: 3 elements that are zero. There may be more: only the first part of it is read.",
    );
  });

  it("says what it is", () => {
    expect(aboutMap(SEEN)).toBe("percpu_array · 2 entries · summed over CPUs");
    const nobodys = { ...SEEN, type: "hash", per_cpu: false, program: "", max_entries: 1024 };
    expect(aboutMap({ ...nobodys, value: [{ name: "", kind: "hex", counts: false }] })).toBe(
      "hash · room for 1,024 entries · in hex",
    );
    expect(aboutMap(nobodys), "its own types are known").toBe("hash · room for 1,024 entries");
  });

  it("writes rates short", () => {
    expect([null, 0, 0.52, 9.99, 1234.5].map(rateText)).toEqual(["", "0", "0.5", "10", "1,235"]);
  });
});

describe("the order of entries", () => {
  const HASH: Partial<SeenMap> = {
    type: "hash",
    key: [field("source", "ipv4", false), field("port", "unsigned", false)],
    rows: [
      ["10.0.0.10", 80, 5],
      ["10.0.0.9", 443, "18446744073709551615"],
      ["10.0.0.9", 80, 5],
    ],
  };
  const shown = (rows: readonly { key: readonly string[] }[]) => rows.map((row) => row.key.join(" "));

  it("is by key at first, addresses as a person sorts them", () => {
    expect(shown(inOrder(read(HASH), FIRST_ORDER))).toEqual(["10.0.0.9 80", "10.0.0.9 443", "10.0.0.10 80"]);
  });

  it("is by index in an array, whatever the index is called", () => {
    const rows = [
      ["OTHER", 1],
      ["IPV4", 3],
      ["ARP", 2],
    ] as SeenMap["rows"];
    const view = read({ rows });
    expect(shown(inOrder(view, FIRST_ORDER))).toEqual(["OTHER", "IPV4", "ARP"]);
    expect(shown(inOrder(view, pressed(FIRST_ORDER, 0, false, 1)))).toEqual(["ARP", "IPV4", "OTHER"]);
    expect(shown(inOrder(view, pressed(FIRST_ORDER, 1, false, 1)))).toEqual(["IPV4", "ARP", "OTHER"]);
  });

  it("begins with the greatest value, and leaves equal ones by their key", () => {
    const byValue = pressed(FIRST_ORDER, 2, false, 2);
    expect(byValue).toEqual({ column: 2, rate: false, down: true });
    expect(shown(inOrder(read(HASH), byValue))).toEqual(["10.0.0.9 443", "10.0.0.9 80", "10.0.0.10 80"]);
    expect(shown(inOrder(read(HASH), pressed(byValue, 2, false, 2)))).toEqual([
      "10.0.0.9 80",
      "10.0.0.10 80",
      "10.0.0.9 443",
    ]);
  });

  it("can be by rate, which is another column than its value", () => {
    const later = {
      ...HASH,
      rows: [
        ["10.0.0.10", 80, 905],
        ["10.0.0.9", 443, "18446744073709551615"],
        ["10.0.0.9", 80, 25],
      ] as SeenMap["rows"],
    };
    const byRate = pressed(FIRST_ORDER, 2, true, 2);
    expect(shown(inOrder(read(HASH, later), byRate))).toEqual(["10.0.0.10 80", "10.0.0.9 80", "10.0.0.9 443"]);
    expect([ariaSort(byRate, 2, true), ariaSort(byRate, 2, false)]).toEqual(["descending", undefined]);
  });
});
