// The newest frames of each switch's wire, as they come; the panel reads them when it draws. Nothing of it enters React
// state: twenty frames five times a second would render the whole page for nothing.

import type { RunEvent, TaggedFrame } from "../api/types";

export const FRAMES_KEPT = 400;

export type TaggedFramesEvent = Extract<RunEvent, { kind: "tagged_frames" }>;

/** A frame with a number of its own: the list's key, and what a selection holds on to. */
export interface SeenFrame extends TaggedFrame {
  number: number;
}

interface Wire {
  frames: SeenFrame[];
  /** Frames that were on the wire and not told. */
  skipped: number;
}

const EMPTY: Wire = { frames: [], skipped: 0 };

export class FrameStore {
  /** Grows with every change: what draws compares it. */
  version = 0;
  private readonly wires = new Map<string, Wire>();
  private number = 0;

  take(event: TaggedFramesEvent): void {
    const before = this.wires.get(event.switch) ?? EMPTY;
    const seen = event.frames.map((frame) => {
      this.number += 1;
      return { ...frame, number: this.number };
    });
    this.wires.set(event.switch, {
      frames: [...before.frames, ...seen].slice(-FRAMES_KEPT),
      skipped: before.skipped + event.skipped,
    });
    this.version += 1;
  }

  /** Oldest first; the same array while nothing has come. */
  of(name: string): Wire {
    return this.wires.get(name) ?? EMPTY;
  }

  clear(name?: string): void {
    if (name === undefined) this.wires.clear();
    else this.wires.delete(name);
    this.version += 1;
  }
}
