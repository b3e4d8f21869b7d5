import { describe, expect, it } from "vitest";
import { TerminalConnection } from "../src/live/terminal";
import { isTerminalAnswer } from "../src/live/terminal_answers";
import { ACK_EVERY_BYTES, InputStream, inputPieces, OutputStream } from "../src/live/terminal_stream";
import { FakeNetwork } from "./fake_network";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

describe("OutputStream", () => {
  it("takes each byte once, whatever the server repeats", () => {
    const stream = new OutputStream();
    stream.start(0);
    expect(text(stream.take(bytes("hello ")))).toBe("hello ");
    stream.start(3); // a new connection that begins earlier than asked
    expect(text(stream.take(bytes("lo wor")))).toBe("wor");
    expect(text(stream.take(bytes("ld")))).toBe("ld");
    expect(stream.received).toBe(11);
  });

  it("drops a chunk that lies wholly behind", () => {
    const stream = new OutputStream();
    stream.start(0);
    stream.take(bytes("abcdef"));
    stream.start(0);
    expect(stream.take(bytes("abc"))).toHaveLength(0);
    expect(text(stream.take(bytes("defg")))).toBe("g");
  });

  it("reports a hole and goes on behind it", () => {
    const stream = new OutputStream();
    stream.start(0);
    stream.take(bytes("abc"));
    expect(stream.start(100)).toBe(true);
    stream.take(bytes("xy"));
    expect(stream.received).toBe(102);
  });

  it("acknowledges what is drawn, not what has come", () => {
    const stream = new OutputStream();
    stream.start(0);
    stream.take(new Uint8Array(ACK_EVERY_BYTES * 2));
    expect(stream.ack()).toBeNull();
    expect(stream.drew(ACK_EVERY_BYTES - 1)).toBe(false);
    expect(stream.drew(ACK_EVERY_BYTES)).toBe(true);
    expect(stream.ack()).toBe(ACK_EVERY_BYTES);
    expect(stream.ack()).toBeNull();
  });

  it("never acknowledges backwards after a skip", () => {
    const stream = new OutputStream();
    stream.start(0);
    stream.take(bytes("abc"));
    stream.skip(1000);
    expect(stream.drew(3)).toBe(false); // a late callback of what was on its way
    expect(stream.ack()).toBeNull();
    stream.take(bytes("xyz"));
    stream.drew(1003);
    expect(stream.ack()).toBe(1003);
  });
});

describe("InputStream", () => {
  it("keeps what the server is not known to have, to the byte", () => {
    const typed = new InputStream();
    typed.keep(bytes("ls "));
    typed.keep(bytes("-la"));
    typed.passed(4);
    expect([typed.typed, text(typed.kept), typed.keptBytes]).toEqual([4, "la", 2]);
    typed.passed(2); // an old message
    typed.keep(bytes("\r"));
    expect(text(typed.kept)).toBe("la\r");
    typed.passed(100);
    expect([typed.typed, typed.keptBytes]).toEqual([7, 0]);
  });
});

describe("inputPieces", () => {
  it("cuts a paste into pieces that lose nothing", () => {
    const paste = bytes("ä€😀".repeat(30_000));
    const pieces = inputPieces(paste, 64 * 1024);
    expect(pieces.every((p) => p.length <= 64 * 1024)).toBe(true);
    expect(pieces.reduce((sum, p) => sum + p.length, 0)).toBe(paste.length);
    expect(Buffer.concat(pieces).equals(Buffer.from(paste))).toBe(true);
  });
});

function connect() {
  const network = new FakeNetwork();
  const drawn: string[] = [];
  const callbacks: (() => void)[] = [];
  const seen = { clears: 0, closed: "", states: [] as string[] };
  const connection = new TerminalConnection(
    "ws://test/",
    { rows: 24, cols: 80 },
    {
      write: (data, done) => {
        drawn.push(text(data));
        callbacks.push(done);
      },
      clear: () => {
        seen.clears += 1;
        drawn.length = 0;
      },
    },
    {
      onConnection: (state) => seen.states.push(state),
      onClosed: (reason) => {
        seen.closed = reason;
      },
    },
    network,
  );
  const drawAll = () => {
    for (const done of callbacks.splice(0)) done();
  };
  return { network, connection, drawn, drawAll, seen };
}

describe("TerminalConnection", () => {
  it("says hello with its size and goes on where it stopped, nothing lost or doubled", () => {
    const { network, drawn, drawAll } = connect();
    network.last.open();
    expect(network.last.json[0]).toMatchObject({ type: "hello", offset: 0, rows: 24, cols: 80, typed: 0 });
    network.last.text({ type: "start", offset: 0, typed: 0 });
    network.last.binary(bytes("one two "));
    drawAll();
    network.last.close();
    network.advance(1000);
    network.last.open();
    expect(network.sockets).toHaveLength(2);
    expect(network.last.json[0]).toMatchObject({ type: "hello", offset: 8 });
    network.last.text({ type: "start", offset: 8, typed: 0 });
    network.last.binary(bytes("three"));
    expect(drawn.join("")).toBe("one two three");
  });

  it("counts bytes that wait in the screen as received", () => {
    const { network } = connect();
    network.last.open();
    network.last.text({ type: "start", offset: 0, typed: 0 });
    network.last.binary(bytes("not drawn yet"));
    network.last.close();
    network.advance(1000);
    network.last.open();
    expect(network.last.json[0]).toMatchObject({ offset: 13 });
  });

  it("acknowledges at once after 64 KiB and otherwise when idle", () => {
    const { network, drawAll } = connect();
    network.last.open();
    network.last.text({ type: "start", offset: 0, typed: 0 });
    network.last.binary(new Uint8Array(10));
    drawAll();
    expect(network.last.json.filter((m) => m.type === "ack")).toEqual([]);
    network.advance(500);
    expect(network.last.json.filter((m) => m.type === "ack")).toEqual([{ type: "ack", offset: 10 }]);
    network.last.binary(new Uint8Array(64 * 1024));
    drawAll();
    expect(network.last.json.at(-1)).toEqual({ type: "ack", offset: 10 + 64 * 1024 });
  });

  it("does not acknowledge what a slow screen has not drawn", () => {
    const { network } = connect();
    network.last.open();
    network.last.text({ type: "start", offset: 0, typed: 0 });
    for (let i = 0; i < 8; i++) network.last.binary(new Uint8Array(32 * 1024));
    network.advance(5000);
    expect(network.last.json.filter((m) => m.type === "ack")).toEqual([]);
  });

  it("keeps what is typed while the connection is away and sends it in order", () => {
    const { network, connection } = connect();
    connection.input(bytes("l"));
    network.last.open();
    connection.input(bytes("s")); // open, but the server has not begun
    network.last.text({ type: "start", offset: 0, typed: 0 });
    connection.input(bytes("\r"));
    expect(network.last.input).toBe("ls\r");
  });

  it("types again what a connection took down with it, and only that", () => {
    const { network, connection } = connect();
    network.last.open();
    network.last.text({ type: "start", offset: 0, typed: 0 });
    const viewer = network.last.json[0]?.viewer;
    for (const key of "echo hi\r") connection.input(bytes(key)); // sent; of the server's side nobody knows
    network.last.close();
    network.advance(1000);
    network.last.open();
    expect(network.last.json[0]).toMatchObject({ viewer, typed: 0 });
    network.last.text({ type: "start", offset: 0, typed: 5 });
    expect(network.last.input).toBe("hi\r");
    network.last.text({ type: "typed", offset: 8 });
    network.last.close();
    network.advance(1000);
    network.last.open();
    expect(network.last.json[0]).toMatchObject({ viewer, typed: 8 });
  });

  it("clears the screen when the server skips", () => {
    const { network, drawn, seen } = connect();
    network.last.open();
    network.last.text({ type: "start", offset: 0, typed: 0 });
    network.last.binary(bytes("old"));
    network.last.text({ type: "skipped", offset: 900_000 });
    network.last.binary(bytes("new"));
    expect(seen.clears).toBe(1);
    expect(drawn).toEqual(["new"]);
  });

  it("sends one resize for many", () => {
    const { network, connection } = connect();
    network.last.open();
    network.last.text({ type: "start", offset: 0, typed: 0 });
    for (let cols = 81; cols < 120; cols++) connection.resize(30, cols);
    network.advance(1000);
    expect(network.last.json.filter((m) => m.type === "resize")).toEqual([{ type: "resize", rows: 30, cols: 119 }]);
  });

  it("stays away when the shell is over", () => {
    const { network, seen } = connect();
    network.last.open();
    network.last.text({ type: "closed", reason: "the shell ended" });
    network.advance(60_000);
    expect(seen.closed).toBe("the shell ended");
    expect(network.sockets).toHaveLength(1);
  });

  it("is replaying only until a fresh page has drawn what was there", () => {
    const { network, connection, drawAll } = connect();
    network.last.open();
    network.last.text({ type: "start", offset: 0, typed: 0 });
    network.last.binary(bytes("scrollback with a question \u001b[6n"));
    expect(connection.replaying).toBe(true);
    drawAll();
    network.advance(500);
    expect(connection.replaying).toBe(false);
  });
});

describe("isTerminalAnswer", () => {
  it.each([
    "\u001b[12;40R",
    "\u001b[?1;2c",
    "\u001b[>0;276;0c",
    "\u001b]11;rgb:1111/2222/3333\u001b\\",
    "\u001b[?2004;1$y",
  ])("knows the answer %j", (answer) => expect(isTerminalAnswer(answer)).toBe(true));
  it.each(["ls", "\u001b[A", "\u001bOP", "\r", "\u001b", "\u001b[3~", "\u001b[1;5C"])("lets %j through", (typed) =>
    expect(isTerminalAnswer(typed)).toBe(false),
  );
});
