// What the palette lists for what was typed: all commands by their groups, or what matches, best first. Pure.

import type { Command } from "../commands";
import { match } from "./fuzzy";

export interface Choice {
  command: Command;
  /** Indexes of the title's letters that were typed. */
  at: readonly number[];
}

export interface ChoiceGroup {
  name: string;
  choices: readonly Choice[];
}

const GROUPS: readonly Command["group"][] = ["Lab", "Steps", "Editor", "Terminals", "Topology", "Counters", "View"];
/** What can be done comes before what cannot, unless that fits much better. */
const OFF_COSTS = 10;

export function choicesFor(commands: readonly Command[], query: string): ChoiceGroup[] {
  const once = [...new Map(commands.map((command) => [command.id, command])).values()];
  if (!query.trim()) {
    return GROUPS.map((name) => ({
      name,
      choices: once.filter((command) => command.group === name).map((command) => ({ command, at: [] })),
    })).filter((group) => group.choices.length > 0);
  }
  const found = once.flatMap((command) => {
    const hit = match(query, command.title) ?? matchWithGroup(query, command);
    return hit ? [{ command, at: hit.at, score: hit.score - (command.off ? OFF_COSTS : 0) }] : [];
  });
  found.sort((a, b) => b.score - a.score);
  return found.length ? [{ name: "", choices: found }] : [];
}

/** "terminal search": the group's name may be a part of what was typed. */
function matchWithGroup(query: string, { group, title }: Command): { score: number; at: number[] } | null {
  const hit = match(query, `${title} ${group}`);
  return hit && { score: hit.score - OFF_COSTS, at: hit.at.filter((index) => index < title.length) };
}
