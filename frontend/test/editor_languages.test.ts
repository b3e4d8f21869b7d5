import { describe, expect, it } from "vitest";
import { languageName, moreLanguage } from "../src/workspace/editor/languages";

describe("a file's language", () => {
  it.each([
    ["xdp.c", "c"],
    ["lib/own.h", "c"],
    ["Makefile", "make"],
    ["rules.mk", "make"],
    ["probe.bt.py", "python"],
    ["setup.sh", "shell"],
    ["ptp.yaml", "yaml"],
    ["notes.txt", "text"],
    ["ptp4l.conf", "text"],
    ["c", "text"],
    ["xdp.c.shell", "text"],
  ])("%s is %s", (path, name) => {
    expect(languageName(path)).toBe(name);
  });

  it("loads more only for what needs it", async () => {
    expect(await moreLanguage("xdp.c")).toBeNull();
    expect(await moreLanguage("notes.txt")).toBeNull();
    expect(await moreLanguage("setup.sh")).not.toBeNull();
  });
});
