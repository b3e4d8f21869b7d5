// Which of the frames that were seen are shown, and how one line of them is written. Pure.

import type { TaggedFrame } from "../../api/types";
import type { SeenFrame } from "../../live/tagged_frames";

export const SHOWN_MAX = 120;

export interface Filter {
  /** A port's number, or null for all. */
  port: number | null;
  direction: TaggedFrame["direction"] | "";
}

export const ALL: Filter = { port: null, direction: "" };

/** Newest first. A frame whose tag names several ports is one of each (a trailer from the CPU may). */
export function shownFrames(frames: readonly SeenFrame[], filter: Filter, portName: string): SeenFrame[] {
  const shown: SeenFrame[] = [];
  for (let i = frames.length - 1; i >= 0 && shown.length < SHOWN_MAX; i--) {
    const frame = frames[i] as SeenFrame;
    if (filter.direction && frame.direction !== filter.direction) continue;
    if (filter.port !== null && frame.port !== filter.port && !namesOf(frame).includes(portName)) continue;
    shown.push(frame);
  }
  return shown;
}

export function namesOf(frame: TaggedFrame): string[] {
  return frame.port_name ? frame.port_name.split(", ") : [];
}

/** Seconds of the minute: two frames are compared, nobody asks for the hour. */
export function clockOf(at: number): string {
  return (at % 60).toFixed(3).padStart(6, "0");
}

export const DIRECTION_WORDS: Record<TaggedFrame["direction"], string> = { to_cpu: "to CPU", from_cpu: "from CPU" };
export const DIRECTION_SIGNS: Record<TaggedFrame["direction"], string> = { to_cpu: "▲", from_cpu: "▼" };
/** What happens to a frame whose tag names no port. */
export function portWords(frame: TaggedFrame): string {
  if (frame.port_name) return frame.port_name;
  if (frame.tagger === "none") return "no tag";
  if (frame.port >= 0) return `port ${frame.port}`;
  return frame.direction === "from_cpu" ? "bridge" : "trunk"; // the switch decides for the whole bridge
}
