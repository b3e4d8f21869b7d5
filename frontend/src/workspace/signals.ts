// What one pane asks of another ("type this into the client's terminal"). A signal sent before its receiver has been
// loaded waits for it; there is one receiver for each.

export type Signal =
  | { to: "terminals"; do: "type"; node: string; text: string }
  | { to: "terminals"; do: "focus"; node: string }
  | { to: "editor"; do: "put"; path: string; text: string }
  | { to: "editor"; do: "build" }
  | { to: "topology"; do: "show"; end: string | null };

type Receiver = Signal["to"];
const WAITING_MAX = 8;

export class Signals {
  private readonly receivers = new Map<Receiver, (signal: Signal) => void>();
  private waiting: Signal[] = [];

  send(signal: Signal): void {
    const receiver = this.receivers.get(signal.to);
    if (receiver) receiver(signal);
    else this.waiting = [...this.waiting, signal].slice(-WAITING_MAX);
  }

  receive(to: Receiver, receiver: (signal: Signal) => void): () => void {
    this.receivers.set(to, receiver);
    const mine = this.waiting.filter((signal) => signal.to === to);
    this.waiting = this.waiting.filter((signal) => signal.to !== to);
    for (const signal of mine) receiver(signal);
    return () => {
      if (this.receivers.get(to) === receiver) this.receivers.delete(to);
    };
  }
}
