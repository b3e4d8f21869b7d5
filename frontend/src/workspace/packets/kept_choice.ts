// What somebody has chosen in the pane, kept while the tab of the browser is open: a reload and a change of tabs lose nothing.

import type { Place } from "./places";
import type { Clock } from "./times";

export interface Choice {
  place: Place;
  snap: number;
  filter: string;
  clock: Clock;
}

const key = (run: string) => `netlab.packets.${run}`;

export function keptChoice(run: string): Partial<Choice> {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(key(run)) ?? "{}");
    return typeof kept === "object" && kept !== null ? kept : {};
  } catch {
    return {};
  }
}

export function keepChoice(run: string, choice: Choice): void {
  sessionStorage.setItem(key(run), JSON.stringify(choice));
}
