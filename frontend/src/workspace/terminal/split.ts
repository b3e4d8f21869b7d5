// Which terminals are on which of two sides, and which one each side shows. Pure: the pane draws it, the browser keeps it.
// Terminals are named by their titles, which a new run's terminals have again; ids would be forgotten with the run.

export type Way = "one" | "columns" | "rows";
export type Side = 0 | 1;

/** What a person has chosen; it may name terminals that are not there just now. */
export interface Split {
  way: Way;
  second: readonly string[];
  shown: readonly [string, string];
  active: Side;
  /** The first side's share of the room. */
  percent: number;
}

/** What is drawn: every terminal is on one side, and a side that is drawn has at least one. */
export interface Arrangement {
  way: Way;
  sides: readonly [readonly string[], readonly string[]];
  shown: readonly [string, string];
  active: Side;
}

export const NOT_SPLIT: Split = { way: "one", second: [], shown: ["", ""], active: 0, percent: 50 };
export const PERCENT_MIN = 15;
export const PERCENT_MAX = 85;

export function arranged(split: Split, titles: readonly string[]): Arrangement {
  const second = titles.filter((title) => split.second.includes(title));
  const first = titles.filter((title) => !second.includes(title));
  const wanted = split.shown[split.active];
  if (split.way === "one" || first.length === 0 || second.length === 0) {
    return { way: "one", sides: [titles, []], shown: [shownOf(titles, wanted), ""], active: 0 };
  }
  const shown = [shownOf(first, split.shown[0]), shownOf(second, split.shown[1])] as const;
  return { way: split.way, sides: [first, second], shown, active: split.active };
}

export function sideOf(now: Arrangement, title: string): Side {
  return now.sides[1].includes(title) ? 1 : 0;
}

export function show(split: Split, titles: readonly string[], title: string): Split {
  const now = arranged(split, titles);
  if (now.way === "one") return { ...split, shown: placed(split.shown, split.active, title) };
  const side = sideOf(now, title);
  return { ...split, active: side, shown: placed(split.shown, side, title) };
}

/** Two sides, or one again. A second side that would be empty gets the terminal after the one that is shown. */
export function turn(split: Split, titles: readonly string[], way: Way): Split {
  const now = arranged(split, titles);
  const current = now.shown[now.active];
  if (way === "one") return { ...split, way, active: 0, shown: [current, split.shown[1]] };
  if (now.way !== "one") return { ...split, way };
  const again = arranged({ ...split, way }, titles);
  if (again.way !== "one") return show({ ...split, way }, titles, current);
  const other = titles[(titles.indexOf(current) + 1) % titles.length];
  if (!other || other === current) return split;
  return { ...split, way, second: [other], shown: [current, other], active: 0 };
}

/** To one of the sides, where it is shown. Without a split the second side comes into being. */
export function move(split: Split, titles: readonly string[], title: string, to: Side, way?: Way): Split {
  const now = arranged(split, titles);
  const others = now.sides[1].filter((one) => one !== title);
  const second = to === 1 ? [...others, title] : others;
  const shown = placed(now.way === "one" ? [now.shown[0], ""] : now.shown, to, title);
  return { ...split, way: way ?? (now.way === "one" ? "columns" : now.way), second, shown, active: to };
}

export function resized(split: Split, percent: number): Split {
  return { ...split, percent: Math.min(PERCENT_MAX, Math.max(PERCENT_MIN, percent)) };
}

/** What was kept, as far as it still makes sense. */
export function parseSplit(kept: string | null): Split {
  try {
    const found = JSON.parse(kept ?? "null") as Partial<Split> | null;
    if (!found || !["one", "columns", "rows"].includes(found.way ?? "")) return NOT_SPLIT;
    const texts = (list: unknown): string[] =>
      Array.isArray(list) ? list.filter((one): one is string => typeof one === "string") : [];
    const shown = texts(found.shown);
    const split: Split = {
      way: found.way as Way,
      second: texts(found.second),
      shown: [shown[0] ?? "", shown[1] ?? ""],
      active: found.active === 1 ? 1 : 0,
      percent: 50,
    };
    return resized(split, typeof found.percent === "number" ? found.percent : 50);
  } catch {
    return NOT_SPLIT; // not ours, or of an older page
  }
}

function shownOf(side: readonly string[], wanted: string): string {
  return side.includes(wanted) ? wanted : (side[0] ?? "");
}

function placed(shown: readonly [string, string], side: Side, title: string): readonly [string, string] {
  return side === 0 ? [title, shown[1]] : [shown[0], title];
}
