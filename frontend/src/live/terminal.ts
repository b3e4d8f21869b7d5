// One viewer of one terminal: speaks /ws/runs/R/terminals/T/ (docs/architecture.md) and drives a screen. After a lost
// connection it goes on exactly after the last byte that it handed to the screen, and types what the server does not have
// yet. It acknowledges only what the screen has really drawn, so a slow browser holds up the program and not its own memory.

import type { TerminalSocketMessage } from "../api/types";
import { browserEnvironment, type ConnectionState, ReconnectingSocket, type SocketEnvironment } from "./socket";
import { InputStream, inputPieces, OutputStream } from "./terminal_stream";

const ACK_IDLE_MS = 150;
const RESIZE_DEBOUNCE_MS = 120;
/** Typed while the connection is away: kept and sent afterwards, up to here. */
const PENDING_INPUT_BYTES_MAX = 64 * 1024;

export interface Screen {
  write(bytes: Uint8Array, drawn: () => void): void;
  /** Bytes were lost: begin with an empty screen. */
  clear(): void;
}

export interface TerminalHandlers {
  onConnection(state: ConnectionState): void;
  /** The shell is over. */
  onClosed(reason: string): void;
}

export class TerminalConnection {
  private readonly stream = new OutputStream();
  private readonly socket: ReconnectingSocket;
  private readonly screen: Screen;
  private readonly handlers: TerminalHandlers;
  private readonly environment: SocketEnvironment;
  private readonly typed = new InputStream();
  private readonly viewer = randomId();
  private rows: number;
  private cols: number;
  private ackTimer = 0;
  private resizeTimer = 0;
  private started = false; // the server has answered hello on this connection
  /** Old output is being drawn again: queries in it were answered long ago and must not be answered again. */
  replaying = false;

  constructor(
    url: string,
    size: { rows: number; cols: number },
    screen: Screen,
    handlers: TerminalHandlers,
    environment: SocketEnvironment = browserEnvironment,
  ) {
    this.rows = size.rows;
    this.cols = size.cols;
    this.screen = screen;
    this.handlers = handlers;
    this.environment = environment;
    this.socket = new ReconnectingSocket(
      url,
      {
        onOpen: () => this.hello(),
        onText: (text) => this.control(JSON.parse(text) as TerminalSocketMessage),
        onBinary: (bytes) => this.output(bytes),
        onState: (state) => {
          if (state !== "online") this.started = false;
          this.handlers.onConnection(state);
        },
      },
      environment,
    );
    this.socket.connect();
  }

  /** What the person typed or pasted. */
  input(bytes: Uint8Array<ArrayBuffer>): void {
    for (const piece of inputPieces(bytes)) {
      const sent = this.started && this.socket.send(piece);
      if (!sent && this.typed.keptBytes + piece.length > PENDING_INPUT_BYTES_MAX) return;
      this.typed.keep(piece); // sent is not arrived
    }
  }

  resize(rows: number, cols: number): void {
    if (rows === this.rows && cols === this.cols) return;
    this.rows = rows;
    this.cols = cols;
    this.environment.clearTimeout(this.resizeTimer);
    this.resizeTimer = this.environment.setTimeout(() => {
      this.send({ type: "resize", rows: this.rows, cols: this.cols });
    }, RESIZE_DEBOUNCE_MS);
  }

  retryNow(): void {
    this.socket.retryNow();
  }

  dropNow(): void {
    this.socket.dropNow();
  }

  close(): void {
    this.environment.clearTimeout(this.ackTimer);
    this.environment.clearTimeout(this.resizeTimer);
    this.socket.close();
  }

  private hello(): void {
    const { viewer, rows, cols } = this;
    this.send({ type: "hello", offset: this.stream.received, rows, cols, viewer, typed: this.typed.typed });
  }

  private control(message: TerminalSocketMessage): void {
    if (message.type === "start") {
      this.replaying = this.stream.received === 0;
      if (this.stream.start(message.offset)) this.screen.clear();
      this.started = true;
      this.typed.passed(message.typed);
      for (const piece of inputPieces(this.typed.kept)) this.socket.send(piece);
    } else if (message.type === "typed") {
      this.typed.passed(message.offset);
    } else if (message.type === "skipped") {
      this.stream.skip(message.offset);
      this.screen.clear();
    } else if (message.type === "closed") {
      this.close();
      this.handlers.onClosed(message.reason);
    }
  }

  private output(bytes: Uint8Array): void {
    const fresh = this.stream.take(bytes);
    if (fresh.length === 0) return;
    const end = this.stream.received;
    this.screen.write(fresh, () => {
      this.environment.clearTimeout(this.ackTimer);
      if (this.stream.drew(end)) this.acknowledge();
      else this.ackTimer = this.environment.setTimeout(() => this.idle(), ACK_IDLE_MS);
    });
  }

  private idle(): void {
    this.replaying = false;
    this.acknowledge();
  }

  private acknowledge(): void {
    if (!this.started) return; // the next hello carries the offset
    const offset = this.stream.ack();
    if (offset !== null) this.send({ type: "ack", offset });
  }

  private send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
