// One socket per open lab: events and counters. It says hello with the last event that was applied, so that after a lost
// connection events go on where they stopped, in order and none twice. Counters go to the CounterStore, events to
// whoever holds the run's state; this module keeps neither.

import type { Rate, Run, RunEvent, RunSocketMessage } from "../api/types";
import type { CounterStore } from "./counters";
import { decodeFrame } from "./frames";
import { type ConnectionState, ReconnectingSocket, type SocketEnvironment, socketUrl } from "./socket";

export interface RunSocketHandlers {
  /** Id of the newest event that was applied, null for a page that has none. */
  lastEvent(): string | null;
  onSnapshot(run: Run, lastEvent: string | null): void;
  onEvent(id: string, event: RunEvent): void;
  /** Something that is only shown while it happens. */
  onLive(event: RunEvent): void;
  onConnection(state: ConnectionState, closeCode: number): void;
}

/** Not more often than this is a full frame asked for. */
const NEED_FULL_EVERY_MS = 1_000;
/** A watched lab says something at least every 10 s; silence beyond this is looked into, then taken for a dead line. */
const SILENCE_MS = 15_000;
const PROBE_ANSWER_MS = 4_000;

export class RunSocket {
  private readonly socket: ReconnectingSocket;
  private readonly handlers: RunSocketHandlers;
  private readonly counters: CounterStore;
  private rate: Rate = "fast";
  private askedFullAt = Number.NEGATIVE_INFINITY;
  private heardAt = 0;
  private probeTimer = 0;

  constructor(
    run: string,
    handlers: RunSocketHandlers,
    counters: CounterStore,
    environment?: SocketEnvironment,
    url: string = socketUrl(`/ws/runs/${run}/`),
  ) {
    this.handlers = handlers;
    this.counters = counters;
    this.socket = new ReconnectingSocket(
      url,
      {
        onOpen: () => this.hello(),
        onText: (text) => {
          this.heard();
          this.text(text);
        },
        onBinary: (bytes) => {
          this.heard();
          this.frame(bytes);
        },
        onState: (state, code) => {
          if (state === "reconnecting" || state === "ended") this.counters.interrupted();
          this.handlers.onConnection(state, code);
        },
      },
      environment,
    );
  }

  connect(): void {
    this.socket.connect();
  }

  close(): void {
    window.clearTimeout(this.probeTimer);
    this.socket.close();
  }

  retryNow(): void {
    this.socket.retryNow();
  }

  dropNow(): void {
    this.socket.dropNow();
  }

  /** Called now and then by a page that is looked at: a line that is dead without knowing (a laptop slept) is found. */
  checkAlive(atOnce = false): void {
    const quietMs = performance.now() - this.heardAt;
    if (!this.socket.isOpen || this.rate === "off" || this.counters.ring.length === 0) return;
    if (this.probeTimer || (!atOnce && quietMs < SILENCE_MS)) return;
    this.socket.send('{"type":"need_full"}');
    this.probeTimer = window.setTimeout(() => {
      this.probeTimer = 0;
      this.socket.dropNow();
    }, PROBE_ANSWER_MS);
  }

  private heard(): void {
    this.heardAt = performance.now();
    window.clearTimeout(this.probeTimer);
    this.probeTimer = 0;
  }

  /** A page that nobody looks at needs fewer numbers. */
  setRate(rate: Rate): void {
    if (rate === this.rate) return;
    this.rate = rate;
    this.socket.send(JSON.stringify({ type: "rate", rate }));
  }

  private hello(): void {
    this.askedFullAt = Number.NEGATIVE_INFINITY;
    this.socket.send(JSON.stringify({ type: "hello", last_event: this.handlers.lastEvent(), rate: this.rate }));
  }

  private text(text: string): void {
    const message = JSON.parse(text) as RunSocketMessage;
    if (message.type === "event") this.handlers.onEvent(message.id, message.event);
    else if (message.type === "live") this.handlers.onLive(message.event);
    else if (message.type === "snapshot") this.handlers.onSnapshot(message.run, message.last_event);
    else if (message.type === "schema") this.counters.setSchema(message.schema);
  }

  private frame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (!frame || this.counters.take(frame) !== "need_full") return;
    const now = performance.now();
    if (now - this.askedFullAt < NEED_FULL_EVERY_MS) return;
    this.askedFullAt = now;
    this.socket.send('{"type":"need_full"}');
  }
}
