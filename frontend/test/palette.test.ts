// Finding commands by a few letters, and which keys open the palette.

import { describe, expect, test } from "vitest";
import type { Command } from "../src/workspace/commands";
import { choicesFor } from "../src/workspace/palette/choices";
import { match } from "../src/workspace/palette/fuzzy";
import { opensPalette } from "../src/workspace/palette/palette_keys";

function command(title: string, more: Partial<Command> = {}): Command {
  return { id: title, title, group: "Lab", run: () => undefined, ...more };
}

const COMMANDS = [
  command("Stop the lab …"),
  command("Reset all nodes, files are kept"),
  command("Reset node client"),
  command("Reset node server"),
  command("Step 3: Drop everything", { group: "Steps" }),
  command("Search in the terminal", { group: "Terminals", keys: "Ctrl+Shift+F" }),
  command("Theme: Dark", { group: "View", off: "it is on" }),
];
const found = (query: string) => choicesFor(COMMANDS, query).flatMap((g) => g.choices.map((c) => c.command.title));

describe("a few letters", () => {
  test.each([
    ["stop", "Stop the lab …"],
    ["rnc", "Reset node client"],
    ["node serv", "Reset node server"],
    ["SERVER reset", "Reset node server"],
    ["drop", "Step 3: Drop everything"],
    ["3", "Step 3: Drop everything"],
    ["sear", "Search in the terminal"],
    ["dark", "Theme: Dark"],
  ])("%s finds first: %s", (query, title) => {
    expect(found(query)[0]).toBe(title);
  });

  test("that are not there, or in another order, find nothing", () => {
    expect(match("xyz", "Reset node client")).toBeNull();
    expect(match("tneilc", "Reset node client")).toBeNull();
    expect(found("zzz")).toEqual([]);
  });

  test("are shown where they stand", () => {
    expect(match("rnc", "Reset node client")?.at).toEqual([0, 6, 11]);
    expect(match("node", "Reset node client")?.at).toEqual([6, 7, 8, 9]);
  });

  test("may name the group", () => {
    expect(found("steps everything")).toEqual(["Step 3: Drop everything"]);
  });

  test("may be signs of a regular expression", () => {
    expect(found("(.*")).toEqual([]);
    expect(match("…", "Stop the lab …")?.at).toEqual([13]);
  });
});

test("without any, all are there by their groups, none twice", () => {
  const groups = choicesFor([...COMMANDS, command("Reset node client")], " ");
  expect(groups.map((group) => group.name)).toEqual(["Lab", "Steps", "Terminals", "View"]);
  expect(groups.flatMap((group) => group.choices)).toHaveLength(COMMANDS.length);
});

describe("the keys", () => {
  const press = (keys: string) => ({
    key: keys.endsWith("K") ? "K" : (keys.at(-1) ?? ""),
    ctrlKey: keys.includes("ctrl"),
    shiftKey: keys.includes("shift"),
    altKey: keys.includes("alt"),
    metaKey: keys.includes("meta"),
  });

  test.each([
    ["ctrl k", "elsewhere", true],
    ["ctrl k", "editor", true],
    ["ctrl k", "terminal", false], // readline's kill-line
    ["ctrl shift K", "terminal", true],
    ["ctrl shift K", "elsewhere", true],
    ["ctrl shift K", "editor", false], // deletes the line
    ["meta k", "terminal", true],
    ["ctrl alt k", "elsewhere", false],
    ["k", "elsewhere", false],
    ["ctrl j", "elsewhere", false],
  ] as const)("%s in %s: %s", (keys, where, opens) => {
    expect(opensPalette(press(keys), where)).toBe(opens);
  });
});
