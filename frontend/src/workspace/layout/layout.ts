// How the lab page is divided: three columns, panes one below the other in them, each with its share; which of them are
// folded. Pure: reading a remembered layout (whatever it holds), moving a splitter, folding, presets.

export type Pane = "instructions" | "editor" | "terminals" | "topology" | "counters";
export type Column = "read" | "work" | "watch";
export type Preset = "follow" | "code" | "watch" | "even";

export const PANES: readonly Pane[] = ["instructions", "editor", "terminals", "topology", "counters"];
export const COLUMNS: readonly Column[] = ["read", "work", "watch"];
export const IN_COLUMN: Record<Column, readonly Pane[]> = {
  read: ["instructions"],
  work: ["editor", "terminals"],
  watch: ["topology", "counters"],
};
export const PANE_NAMES: Record<Pane, string> = {
  instructions: "Instructions",
  editor: "Editor",
  terminals: "Terminals",
  topology: "Topology",
  counters: "Counters",
};

export interface Layout {
  /** Percent of the width; of what is open the proportions count. */
  columns: Record<Column, number>;
  /** Percent of the height of the pane's column. */
  panes: Record<Pane, number>;
  folded: readonly Pane[];
}

const EVEN: Layout = {
  columns: { read: 27, work: 45, watch: 28 },
  panes: { instructions: 100, editor: 56, terminals: 44, topology: 40, counters: 60 },
  folded: [],
};

export const PRESETS: Record<Preset, Layout> = {
  even: EVEN,
  follow: {
    columns: { read: 40, work: 36, watch: 24 },
    panes: { ...EVEN.panes, editor: 40, terminals: 60 },
    folded: ["editor"],
  },
  code: {
    columns: { read: 22, work: 56, watch: 22 },
    panes: { ...EVEN.panes, editor: 68, terminals: 32 },
    folded: [],
  },
  watch: {
    columns: { read: 20, work: 33, watch: 47 },
    panes: { ...EVEN.panes, topology: 42, counters: 58 },
    folded: [],
  },
};

/** Of the open neighbours' room, so that none is dragged to nothing; folding is another thing. */
export const SHARE_MIN = 14;

/** A preset for a lab: one without files has its terminals in the whole of the column, folded editor or not. */
export function isPreset(layout: Layout, preset: Preset): boolean {
  return JSON.stringify(inOrder(layout)) === JSON.stringify(inOrder(PRESETS[preset]));
}

function inOrder({ columns, panes, folded }: Layout): unknown {
  return [COLUMNS.map((c) => columns[c]), PANES.map((p) => panes[p]), PANES.filter((p) => folded.includes(p))];
}

/** What an older netlab, another program or a half-written disk has left is no reason for a broken page. */
export function readLayout(kept: string | null): Layout {
  const found = parsed(kept);
  return {
    columns: shares(found.columns, EVEN.columns),
    panes: shares(found.panes, EVEN.panes),
    folded: PANES.filter((pane) => Array.isArray(found.folded) && found.folded.includes(pane)),
  };
}

function parsed(kept: string | null): { columns?: unknown; panes?: unknown; folded?: unknown } {
  try {
    const found: unknown = JSON.parse(kept ?? "null");
    return typeof found === "object" && found !== null ? found : {};
  } catch {
    return {};
  }
}

/** All of them, or none: one bad share makes the others worthless. */
function shares<K extends string>(found: unknown, standard: Record<K, number>): Record<K, number> {
  if (typeof found !== "object" || found === null) return standard;
  const all = found as Record<string, unknown>;
  const names = Object.keys(standard) as K[];
  const good = names.every((name) => typeof all[name] === "number" && all[name] >= 1 && all[name] <= 100);
  return good ? (Object.fromEntries(names.map((name) => [name, all[name]])) as Record<K, number>) : standard;
}

/** Moves the border of two neighbours by `delta` percent of what all `open` ones have together. */
export function moveBorder<K extends string>(
  all: Record<K, number>,
  open: readonly K[],
  [before, after]: readonly [K, K],
  delta: number,
): Record<K, number> {
  const total = open.reduce((sum, name) => sum + all[name], 0);
  const min = (SHARE_MIN / 100) * total;
  const both = all[before] + all[after];
  if (both <= 2 * min) return all;
  const wanted = all[before] + (delta / 100) * total;
  const share = Math.min(both - min, Math.max(min, wanted));
  return { ...all, [before]: round(share), [after]: round(both - share) };
}

/** How much of the two the one before has, for the splitter's value. */
export function borderValue<K extends string>(all: Record<K, number>, [before, after]: readonly [K, K]): number {
  return Math.round((100 * all[before]) / (all[before] + all[after]));
}

/** The open ones on both sides of the border after `index`; null when there is nothing to move. */
export function neighbours<K extends string>(
  all: readonly K[],
  open: readonly K[],
  index: number,
): readonly [K, K] | null {
  const before = all.slice(0, index + 1).findLast((name) => open.includes(name));
  const after = all.slice(index + 1).find((name) => open.includes(name));
  return before && after ? [before, after] : null;
}

export function fold(layout: Layout, pane: Pane): Layout {
  return layout.folded.includes(pane) ? layout : { ...layout, folded: [...layout.folded, pane] };
}

export function unfold(layout: Layout, pane: Pane): Layout {
  return layout.folded.includes(pane) ? { ...layout, folded: layout.folded.filter((p) => p !== pane) } : layout;
}

/** The last open pane stays: a page of bars alone helps nobody. */
export function canFold(layout: Layout, present: readonly Pane[], pane: Pane): boolean {
  return present.some((other) => other !== pane && !layout.folded.includes(other));
}

function round(share: number): number {
  return Math.round(share * 100) / 100;
}
