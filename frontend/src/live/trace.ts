// The run's trace as the host told it last, and functions that were looked for. The pane draws them; the newest event wins.

import type { LatencyCell, RunEvent, TraceSeen } from "../api/types";

export type TraceEvent = Extract<RunEvent, { kind: "trace" }>;

export type FunctionsFound = Extract<RunEvent, { kind: "functions_found" }>;

/** Undefined: not told yet; null: there is none. */
export type TraceState = TraceSeen | null | undefined;

export class TraceStore {
  /** What had been measured when somebody began to compare; null: nobody does. */
  marked: readonly LatencyCell[] | null = null;
  /** Waits for what is told next: what is known now is up to a second old. */
  private marks = false;
  /** Functions that were looked for last. */
  found: FunctionsFound | null = null;
  private state: TraceState;
  private readonly listeners = new Set<() => void>();

  take(event: TraceEvent): void {
    if (this.marks && event.trace) {
      this.marked = event.trace.cells;
      this.marks = false;
    }
    this.set(event.trace);
  }

  takeFound(event: FunctionsFound): void {
    this.found = event;
    for (const listener of this.listeners) listener();
  }

  getFound = (): FunctionsFound | null => this.found;

  clear(): void {
    this.found = null;
    this.marked = null;
    this.marks = false;
    this.set(undefined);
  }

  mark = (): void => {
    this.marks = true;
  };

  unmark = (): void => {
    this.marked = null;
    this.marks = false;
    if (this.state) this.set({ ...this.state });
  };

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  get = (): TraceState => this.state;

  private set(state: TraceState): void {
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}
