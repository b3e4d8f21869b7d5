// A network that tests hold in their hands: sockets that open, speak and break when told to, and a clock that is turned.

import type { SocketEnvironment } from "../src/live/socket";

export class FakeSocket {
  readyState = 0;
  binaryType = "blob";
  sent: (string | Uint8Array)[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  text(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  binary(bytes: Uint8Array): void {
    this.onmessage?.({ data: bytes.slice().buffer });
  }

  send(data: string | Uint8Array): void {
    if (this.readyState !== 1) throw new Error("sent on a socket that is not open");
    this.sent.push(data);
  }

  close(code = 1006): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code });
  }

  get json(): Record<string, unknown>[] {
    return this.sent.filter((m): m is string => typeof m === "string").map((m) => JSON.parse(m));
  }

  get input(): string {
    const decoder = new TextDecoder();
    return this.sent
      .filter((m): m is Uint8Array => typeof m !== "string")
      .map((m) => decoder.decode(m))
      .join("");
  }
}

export class FakeNetwork implements SocketEnvironment {
  sockets: FakeSocket[] = [];
  now = 0;
  private timers = new Map<number, { at: number; run: () => void }>();
  private nextTimer = 1;

  open = (): WebSocket => {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket as unknown as WebSocket;
  };

  setTimeout = (run: () => void, ms: number): number => {
    this.timers.set(this.nextTimer, { at: this.now + ms, run });
    return this.nextTimer++;
  };

  clearTimeout = (timer: number): void => {
    this.timers.delete(timer);
  };

  random = (): number => 1;

  get last(): FakeSocket {
    return this.sockets.at(-1) as FakeSocket;
  }

  /** Turn the clock; timers that are due run in order. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.now = due[1].at;
      due[1].run();
    }
    this.now = end;
  }
}
