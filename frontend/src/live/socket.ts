// A websocket that comes back: back-off with jitter, at once when the browser says that the network returned.
// The run's socket and each terminal's are built on it. It never resends or drops anything by itself: resuming is the
// business of whoever speaks on it, who says hello again each time `onOpen` is called.

import { backoffMs } from "./backoff";

/** Close codes of docs/architecture.md after which trying again makes no sense. */
export const FINAL_CLOSE_CODES: ReadonlySet<number> = new Set([4401, 4404, 4410]);
/** Too slow: the server wants us to resume, now. */
const CLOSE_RESUME = 4408;
const CONNECT_TIMEOUT_MS = 10_000;
/** A handshake under way for so long began perhaps without a network: when that is back a new one is quicker. */
const HANGING_MS = 1_000;

export type ConnectionState = "connecting" | "online" | "reconnecting" | "ended";

export interface SocketHandlers {
  onOpen(): void;
  onText(text: string): void;
  onBinary(bytes: Uint8Array): void;
  onState(state: ConnectionState, closeCode: number): void;
}

export interface SocketEnvironment {
  open(url: string): WebSocket;
  setTimeout(run: () => void, ms: number): number;
  clearTimeout(timer: number): void;
  random(): number;
}

export const browserEnvironment: SocketEnvironment = {
  open: (url) => new WebSocket(url),
  setTimeout: (run, ms) => window.setTimeout(run, ms),
  clearTimeout: (timer) => window.clearTimeout(timer),
  random: Math.random,
};

export class ReconnectingSocket {
  private socket: WebSocket | null = null;
  private attempt = 0;
  private timer = 0;
  private ended = false;
  private wasOnline = false;
  private hanging = false;
  private readonly url: string;
  private readonly handlers: SocketHandlers;
  private readonly environment: SocketEnvironment;

  constructor(url: string, handlers: SocketHandlers, environment: SocketEnvironment = browserEnvironment) {
    this.url = url;
    this.handlers = handlers;
    this.environment = environment;
  }

  connect(): void {
    if (this.ended || this.socket) return;
    this.environment.clearTimeout(this.timer);
    this.handlers.onState(this.wasOnline ? "reconnecting" : "connecting", 0);
    const socket = this.environment.open(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.hanging = false;
    this.timer = this.environment.setTimeout(() => {
      this.hanging = true;
      this.timer = this.environment.setTimeout(() => socket.close(), CONNECT_TIMEOUT_MS - HANGING_MS);
    }, HANGING_MS);
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.hanging = false;
      this.environment.clearTimeout(this.timer);
      this.wasOnline = true;
      this.handlers.onState("online", 0);
      this.handlers.onOpen();
    };
    socket.onmessage = (message) => {
      if (socket !== this.socket) return;
      this.attempt = 0; // only a server that talks counts as back; one that accepts and closes does not
      if (typeof message.data === "string") this.handlers.onText(message.data);
      else this.handlers.onBinary(new Uint8Array(message.data as ArrayBuffer));
    };
    socket.onclose = (event) => this.closed(socket, event.code);
  }

  /** True when the message was handed to an open socket. */
  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.socket?.readyState !== 1) return false;
    this.socket.send(data);
    return true;
  }

  get isOpen(): boolean {
    return this.socket?.readyState === 1;
  }

  /** The network is back, or the page is looked at again: do not wait for the timer, nor for a try that hangs. */
  retryNow(): void {
    const hanging = this.hanging ? this.socket : null;
    if (this.ended || (this.socket && !hanging)) return;
    this.socket = null;
    hanging?.close();
    this.attempt = 0;
    this.connect();
  }

  /** The network is gone although the socket has not noticed yet. */
  dropNow(): void {
    const socket = this.socket;
    if (!socket) return;
    socket.close();
    this.closed(socket, 1006);
  }

  close(): void {
    this.ended = true;
    this.environment.clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private closed(socket: WebSocket, code: number): void {
    if (socket !== this.socket) return;
    this.socket = null;
    this.environment.clearTimeout(this.timer);
    if (FINAL_CLOSE_CODES.has(code)) {
      this.ended = true;
      this.handlers.onState("ended", code);
      return;
    }
    const wait = code === CLOSE_RESUME && this.attempt === 0 ? 0 : backoffMs(this.attempt, this.environment.random);
    this.attempt += 1;
    this.handlers.onState("reconnecting", code);
    this.timer = this.environment.setTimeout(() => this.connect(), wait);
  }
}

/** ws(s)://this host/path */
export function socketUrl(path: string): string {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`;
}
