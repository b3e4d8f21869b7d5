import { describe, expect, it } from "vitest";
import { cleanPaste, linesThatWouldRun } from "../src/workspace/terminal/paste";
import { arranged, move, NOT_SPLIT, parseSplit, resized, show, turn } from "../src/workspace/terminal/split";
import { terminalKey } from "../src/workspace/terminal/terminal_keys";

const TWO = ["client", "server"];
const THREE = ["client", "router", "server"];

describe("the split of the terminals", () => {
  it("shows all on one side until it is asked for two", () => {
    expect(arranged(NOT_SPLIT, TWO)).toEqual({ way: "one", sides: [TWO, []], shown: ["client", ""], active: 0 });
  });

  it("puts the next terminal on the second side, and the shown one stays where it is", () => {
    const split = turn(show(NOT_SPLIT, THREE, "router"), THREE, "columns");
    expect(arranged(split, THREE)).toMatchObject({
      way: "columns",
      sides: [["client", "router"], ["server"]],
      shown: ["router", "server"],
      active: 0,
    });
  });

  it("turns from beside to above without moving a terminal", () => {
    const beside = turn(NOT_SPLIT, TWO, "columns");
    const above = arranged(turn(beside, TWO, "rows"), TWO);
    expect(above).toEqual({ ...arranged(beside, TWO), way: "rows" });
  });

  it("is not split with a single terminal", () => {
    expect(arranged(turn(NOT_SPLIT, ["client"], "columns"), ["client"]).way).toBe("one");
  });

  it("moves a terminal to the other side, where it is shown and active", () => {
    const split = move(turn(NOT_SPLIT, THREE, "columns"), THREE, "client", 1);
    expect(arranged(split, THREE)).toMatchObject({
      sides: [["server"], ["client", "router"]],
      shown: ["server", "client"],
      active: 1,
    });
  });

  it("becomes one again when a side has lost its last terminal, and is back when that comes back", () => {
    const split = turn(NOT_SPLIT, TWO, "rows");
    expect(arranged(split, ["client"])).toMatchObject({ way: "one", shown: ["client", ""] });
    expect(arranged(split, TWO).way).toBe("rows");
  });

  it("goes back to one side with the terminal that was active", () => {
    const split = turn(show(turn(NOT_SPLIT, TWO, "columns"), TWO, "server"), TWO, "one");
    expect(arranged(split, TWO)).toMatchObject({ way: "one", shown: ["server", ""] });
  });

  it("makes a split by moving a terminal", () => {
    const split = move(NOT_SPLIT, TWO, "client", 1, "rows");
    expect(arranged(split, TWO)).toMatchObject({
      way: "rows",
      sides: [["server"], ["client"]],
      shown: ["server", "client"],
    });
  });

  it("is remembered, and what cannot be read is not", () => {
    const split = resized(turn(NOT_SPLIT, TWO, "columns"), 70);
    expect(parseSplit(JSON.stringify(split))).toEqual(split);
    for (const kept of [null, "", "{", '{"way":"three"}', "[]", "7"]) expect(parseSplit(kept)).toEqual(NOT_SPLIT);
    expect(parseSplit('{"way":"rows","second":"server","shown":[1],"percent":99}')).toMatchObject({
      second: [],
      shown: ["", ""],
      percent: 85,
    });
  });
});

describe("a paste", () => {
  it("cannot end its own brackets or hide a control character", () => {
    expect(cleanPaste("echo a\u001b[201~; id\u0007\u0003\n\tb\r\n")).toBe("echo a[201~; id\n\tb\r\n");
    expect(cleanPaste("Grüße — 漢字 🙂")).toBe("Grüße — 漢字 🙂");
  });

  it("is asked about when lines would run", () => {
    expect(linesThatWouldRun("ls", false)).toBe(0);
    expect(linesThatWouldRun("ls\n", false)).toBe(1);
    expect(linesThatWouldRun("a\r\nb\rc\n", false)).toBe(3);
    expect(linesThatWouldRun("a\nb\n", true)).toBe(0);
  });
});

describe("the keys that the page keeps", () => {
  const none = { ctrlKey: false, shiftKey: false, altKey: false, metaKey: false };
  const ctrl = { ...none, ctrlKey: true };
  const both = { ...ctrl, shiftKey: true };

  it("leaves Ctrl+C, Ctrl+V, Ctrl+K and Ctrl+R to the shell", () => {
    for (const letter of ["c", "v", "k", "r", "f"]) {
      expect(terminalKey({ ...ctrl, code: `Key${letter.toUpperCase()}`, key: letter }, false)).toBeNull();
    }
    expect(terminalKey({ ...both, code: "Minus", key: "_" }, false)).toBeNull(); // readline's undo
    expect(terminalKey({ ...both, code: "Minus", key: "-" }, false)).toBeNull();
  });

  it("takes copy, paste, search and the ways out", () => {
    const of = (code: string) => terminalKey({ ...both, code, key: "" }, false);
    expect(["KeyC", "KeyV", "KeyF", "ArrowUp", "ArrowLeft"].map(of)).toEqual([
      "copy",
      "paste",
      "search",
      "leave",
      "other-side",
    ]);
    expect(terminalKey({ ...ctrl, code: "Insert", key: "Insert" }, false)).toBe("copy");
    expect(terminalKey({ ...none, shiftKey: true, code: "Insert", key: "Insert" }, false)).toBe("paste");
  });

  it("changes the size of the text by what is printed on the key", () => {
    expect(terminalKey({ ...ctrl, code: "BracketRight", key: "+" }, false)).toBe("larger"); // a German keyboard
    expect(terminalKey({ ...both, code: "Equal", key: "+" }, false)).toBe("larger");
    expect(terminalKey({ ...ctrl, code: "Minus", key: "-" }, false)).toBe("smaller");
    expect(terminalKey({ ...none, metaKey: true, code: "Digit0", key: "0" }, true)).toBe("normal");
    expect(terminalKey({ ...ctrl, code: "Digit0", key: "0" }, true)).toBeNull(); // on macOS Ctrl is the shell's alone
  });
});
