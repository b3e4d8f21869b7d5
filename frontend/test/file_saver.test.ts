import { describe, expect, it } from "vitest";
import { ApiError } from "../src/api/client";
import type { FileContent } from "../src/api/types";
import { FileSaver } from "../src/workspace/editor/file_saver";
import { FakeNetwork } from "./fake_network";

/** A server with one file, as docs/architecture.md describes PUT: 409 with its own text when the base is not the newest. */
class Server {
  file: FileContent = { path: "xdp.c", version: 1, content: "start" };
  away = false;
  puts = 0;
  hold: Promise<void> | null = null;

  put = async (_path: string, content: string, base: number) => {
    this.puts += 1;
    if (this.hold) await this.hold;
    if (this.away) throw new ApiError(0, { code: "offline", message: "away", hint: "", data: {} });
    if (base !== this.file.version)
      throw new ApiError(409, { code: "file_conflict", message: "changed", hint: "", data: { ...this.file } });
    this.file = { path: "xdp.c", version: base + 1, content };
    return { version: this.file.version };
  };

  read = async () => ({ ...this.file });
}

function open() {
  const server = new Server();
  const clock = new FakeNetwork();
  const kept = new Map<string, string>();
  const shown: string[] = [];
  const make = () =>
    new FileSaver(server.file, {
      put: server.put,
      read: server.read,
      onReplace: (text) => shown.push(text),
      onState: () => undefined,
      setTimeout: clock.setTimeout,
      clearTimeout: clock.clearTimeout,
      drafts: {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => void kept.set(key, value),
        removeItem: (key) => void kept.delete(key),
      },
      draftKey: "draft",
    });
  return { server, clock, kept, shown, make, saver: make() };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("FileSaver", () => {
  it("saves once after a pause, with the version it is based on", async () => {
    const { server, clock, saver, kept } = open();
    for (const text of ["a", "ab", "abc"]) saver.edited(text);
    clock.advance(400);
    expect(server.puts).toBe(0);
    clock.advance(200);
    await settle();
    expect(server.file).toMatchObject({ version: 2, content: "abc" });
    expect([saver.state, server.puts, kept.size]).toEqual(["saved", 1, 0]);
  });

  it("saves what was typed while a save was on its way", async () => {
    const { server, clock, saver } = open();
    let release = () => undefined as unknown;
    server.hold = new Promise((resolve) => {
      release = () => resolve();
    });
    saver.edited("one");
    clock.advance(600);
    saver.edited("one two");
    server.hold = null;
    release();
    await settle();
    expect(saver.state).toBe("dirty");
    clock.advance(600);
    await settle();
    expect(server.file.content).toBe("one two");
    expect(saver.state).toBe("saved");
  });

  it("goes on trying while the server is away, and keeps a draft meanwhile", async () => {
    const { server, clock, saver, kept } = open();
    server.away = true;
    saver.edited("precious");
    clock.advance(600);
    await settle();
    expect(saver.state).toBe("offline");
    expect(kept.get("draft")).toContain("precious");
    server.away = false;
    clock.advance(10_000);
    await settle();
    expect(server.file.content).toBe("precious");
    expect(saver.state).toBe("saved");
  });

  it("stops at a conflict with both versions, and writes nothing until somebody chose", async () => {
    const { server, clock, saver } = open();
    server.file = { path: "xdp.c", version: 5, content: "theirs" };
    saver.edited("mine");
    clock.advance(600);
    await settle();
    expect(saver.state).toBe("conflict");
    expect(saver.conflict?.content).toBe("theirs");
    saver.edited("mine, longer");
    clock.advance(60_000);
    await settle();
    expect(server.file.content).toBe("theirs");
    saver.resolve("mine");
    await settle();
    expect(server.file).toMatchObject({ version: 6, content: "mine, longer" });
    expect(saver.state).toBe("saved");
  });

  it("takes the other version when told so", async () => {
    const { server, clock, saver, shown, kept } = open();
    server.file = { path: "xdp.c", version: 5, content: "theirs" };
    saver.edited("mine");
    clock.advance(600);
    await settle();
    saver.resolve("theirs");
    expect(shown).toEqual(["theirs"]);
    expect([saver.text, saver.version, saver.state, kept.size]).toEqual(["theirs", 5, "saved", 0]);
  });

  it("is no conflict when both wrote the same", async () => {
    const { server, clock, saver } = open();
    server.file = { path: "xdp.c", version: 3, content: "same" };
    saver.edited("same");
    clock.advance(600);
    await settle();
    expect([saver.state, saver.version]).toEqual(["saved", 3]);
  });

  it("shows a change made in a shell when nothing unsaved is here", async () => {
    const { server, saver, shown } = open();
    server.file = { path: "xdp.c", version: 2, content: "from vim" };
    await saver.remote(2);
    expect(shown).toEqual(["from vim"]);
    await saver.remote(2);
    expect(shown).toHaveLength(1);
  });

  it("does not let a shell's change overwrite unsaved text", async () => {
    const { server, saver, shown } = open();
    saver.edited("unsaved");
    server.file = { path: "xdp.c", version: 2, content: "from vim" };
    await saver.remote(2);
    expect(shown).toEqual([]);
    expect(saver.state).toBe("conflict");
  });

  it("does not take its own save, told by an event, for somebody else's", async () => {
    const { clock, saver, shown } = open();
    saver.edited("mine");
    clock.advance(600);
    const told = saver.remote(2); // the event overtakes the answer
    await settle();
    await told;
    expect([saver.state, saver.version, shown.length]).toEqual(["saved", 2, 0]);
  });

  it("takes up a draft that a closed page left behind", async () => {
    const { server, clock, kept, shown, make, saver } = open();
    server.away = true;
    saver.edited("typed before the crash");
    saver.dispose();
    server.away = false;
    const next = make();
    next.restoreDraft();
    expect(shown).toEqual(["typed before the crash"]);
    clock.advance(600);
    await settle();
    expect(server.file.content).toBe("typed before the crash");
    expect(kept.size).toBe(0);
  });

  it("makes a conflict of a draft that is based on an old version", async () => {
    const { server, clock, make, saver } = open();
    saver.edited("old draft");
    saver.dispose();
    server.file = { path: "xdp.c", version: 9, content: "newer" };
    const next = make();
    next.restoreDraft();
    clock.advance(600);
    await settle();
    expect(next.state).toBe("conflict");
    expect(server.file.content).toBe("newer");
  });
});
