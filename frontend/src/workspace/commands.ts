// What can be done on the lab page, by name: each pane says what it offers while it is there, the palette (Ctrl-K) lists
// and runs it. It knows nothing of what the commands do.

import { useEffect, useRef } from "react";
import { useLabSession } from "./context";

export interface Command {
  /** Stays the same from one drawing to the next: `terminal.search`. */
  id: string;
  /** What a person reads and searches: "Search in the terminal". */
  title: string;
  group: "Lab" | "Steps" | "Editor" | "Terminals" | "Topology" | "Counters" | "View";
  /** As KeyboardEvent's modifiers and key, shown beside the title: "Ctrl+Shift+F". The pane itself listens for it. */
  keys?: string;
  /** Why it cannot be done now, in a few words; then it is listed and cannot be run. */
  off?: string;
  run(): void;
}

export class Commands {
  private readonly offered = new Map<string, () => readonly Command[]>();

  /** `list` is asked anew whenever somebody looks. Returns what takes the offer back. */
  offer(source: string, list: () => readonly Command[]): () => void {
    this.offered.set(source, list);
    return () => {
      if (this.offered.get(source) === list) this.offered.delete(source);
    };
  }

  /** All that is offered now, in the order of their panes' appearance. */
  list(): Command[] {
    return [...this.offered.values()].flatMap((list) => list());
  }

  /** False: nobody offers it, or it cannot be done now. */
  run(id: string): boolean {
    const command = this.list().find((one) => one.id === id);
    if (!command || command.off) return false;
    command.run();
    return true;
  }
}

/** A component offers `commands` as long as it is on the page; they may be new objects at each drawing. */
export function useCommands(source: string, commands: readonly Command[]): void {
  const session = useLabSession();
  const latest = useRef(commands);
  useEffect(() => {
    latest.current = commands;
  });
  useEffect(() => session.commands.offer(source, () => latest.current), [session, source]);
}
