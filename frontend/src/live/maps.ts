// The attendee's BPF maps as they were read last, and a second before: what changed, and how fast. The pane draws it; the
// newest event wins, nothing is kept of older ones.

import type { RunEvent, SeenMap } from "../api/types";

export type MapsEvent = Extract<RunEvent, { kind: "maps" }>;

export interface MapsReading {
  /** When the host read them, Unix seconds. */
  at: number;
  maps: readonly SeenMap[];
  /** Maps that are there and not shown. */
  more: number;
  before: { at: number; maps: readonly SeenMap[] } | null;
  /** When the page got it: performance.now(). */
  cameAt: number;
}

export class MapStore {
  private reading: MapsReading | null = null;
  private readonly listeners = new Set<() => void>();

  take(event: MapsEvent): void {
    const last = this.reading;
    const before = last && last.at < event.at ? { at: last.at, maps: last.maps } : null;
    this.set({ at: event.at, maps: event.maps, more: event.more, before, cameAt: performance.now() });
  }

  clear(): void {
    this.set(null);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Null: not told yet. */
  get = (): MapsReading | null => this.reading;

  private set(reading: MapsReading | null): void {
    this.reading = reading;
    for (const listener of this.listeners) listener();
  }
}
