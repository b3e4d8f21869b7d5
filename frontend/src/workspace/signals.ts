// What one pane asks of another ("type this into the client's terminal"). A signal sent before its receiver has been
// loaded waits for it; there is one receiver for each.

import type { Cable } from "./topology/cables";

export type Signal =
  | { to: "terminals"; do: "type"; node: string; text: string }
  | { to: "terminals"; do: "focus"; node: string }
  | { to: "editor"; do: "put"; path: string; text: string }
  | { to: "editor"; do: "build" }
  | { to: "topology"; do: "show"; end: string | null }
  | { to: "counters"; do: "link"; cable: Cable }
  /** Each written node:interface: one end, or both of a cable. */
  | { to: "counters"; do: "capture"; ends: readonly string[] };

type Receiver = Signal["to"];
const WAITING_MAX = 8;

export class Signals {
  private readonly receivers = new Map<Receiver, (signal: Signal) => void>();
  private waiting: Signal[] = [];
  private readonly watchers = new Set<(signal: Signal) => void>();

  send(signal: Signal): void {
    for (const watcher of this.watchers) watcher(signal);
    const receiver = this.receivers.get(signal.to);
    if (receiver) receiver(signal);
    else this.waiting = [...this.waiting, signal].slice(-WAITING_MAX);
  }

  /** For the page around the panes: it opens the one that a signal goes to, before that receives it. */
  watch(watcher: (signal: Signal) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
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
