// The division of the lab page: what was remembered, whatever that is; borders that are moved; folding.

import { describe, expect, test } from "vitest";
import {
  borderValue,
  canFold,
  fold,
  isPreset,
  type Layout,
  moveBorder,
  neighbours,
  PANES,
  PRESETS,
  readLayout,
  SHARE_MIN,
  unfold,
} from "../src/workspace/layout/layout";

describe("what was remembered", () => {
  test("comes back as it was", () => {
    expect(readLayout(JSON.stringify(PRESETS.follow))).toEqual(PRESETS.follow);
  });

  test.each([
    null,
    "",
    "{",
    "null",
    "[]",
    "17",
    '"columns"',
    '{"columns":null,"panes":7,"folded":"editor"}',
    '{"columns":{"read":27,"work":45},"panes":{},"folded":["nothing", 3]}',
    '{"columns":{"read":"27","work":45,"watch":28}}',
    '{"columns":{"read":0,"work":45,"watch":28}}',
    '{"columns":{"read":-5,"work":1e9,"watch":28}}',
    '{"columns":{"read":null,"work":45,"watch":28}}',
  ])("%s is the first layout", (kept) => {
    expect(readLayout(kept)).toEqual(PRESETS.even);
  });

  test("its good half is kept", () => {
    const kept = readLayout('{"columns":{"read":50,"work":30,"watch":20},"panes":"gone","folded":["editor","?"]}');
    expect(kept.columns.read).toBe(50);
    expect(kept.panes).toEqual(PRESETS.even.panes);
    expect(kept.folded).toEqual(["editor"]);
  });
});

describe("a border", () => {
  const all = { read: 27, work: 45, watch: 28 };
  const open = ["read", "work", "watch"] as const;

  test("takes from one what it gives to the other", () => {
    const moved = moveBorder(all, open, ["read", "work"], 10);
    expect(moved).toEqual({ read: 37, work: 35, watch: 28 });
    expect(borderValue(moved, ["read", "work"])).toBe(51);
  });

  test.each([-1000, 1000])("stops before a neighbour is nothing (%d)", (delta) => {
    const moved = moveBorder(all, open, ["work", "watch"], delta);
    expect(Math.min(moved.work, moved.watch)).toBe(SHARE_MIN);
    expect(moved.work + moved.watch).toBe(73);
  });

  test("counts in percent of what is open", () => {
    expect(moveBorder(all, ["read", "watch"], ["read", "watch"], 10).read).toBe(32.5);
  });

  test("is that of the nearest open ones, or nobody's", () => {
    expect(neighbours(open, ["read", "watch"], 0)).toEqual(["read", "watch"]);
    expect(neighbours(open, ["read", "watch"], 1)).toEqual(["read", "watch"]);
    expect(neighbours(open, ["work", "watch"], 0)).toBeNull();
  });
});

describe("folding", () => {
  test("and unfolding changes nothing else", () => {
    const folded = fold(PRESETS.even, "editor");
    expect(folded.folded).toEqual(["editor"]);
    expect(fold(folded, "editor")).toBe(folded);
    expect(unfold(folded, "editor")).toEqual(PRESETS.even);
  });

  test("leaves one pane open, of those that are there", () => {
    const before = ["instructions", "topology", "counters"] as const;
    const layout: Layout = { ...PRESETS.even, folded: ["topology", "counters"] };
    expect(canFold(layout, before, "instructions")).toBe(false);
    expect(canFold(layout, PANES, "instructions")).toBe(true);
  });
});

test("a preset is known again, whatever the order of what is folded", () => {
  expect(isPreset(PRESETS.code, "code")).toBe(true);
  expect(isPreset(PRESETS.code, "watch")).toBe(false);
  expect(isPreset({ ...PRESETS.code, folded: ["editor"] }, "code")).toBe(false);
  for (const preset of Object.values(PRESETS)) {
    expect(Math.round(Object.values(preset.columns).reduce((sum, share) => sum + share, 0))).toBe(100);
    expect(preset.panes.editor + preset.panes.terminals).toBe(100);
    expect(preset.panes.topology + preset.panes.counters).toBe(100);
  }
});
