// How large the parts of the drawing are, in CSS pixels: they follow the page's type, so that text fits its node in every
// theme and on every screen. Pure but for useTypePx.

import { useSyncExternalStore } from "react";
import { onThemeChange, tokenNumber } from "../../ui/theme";

/** The type that the lengths below were drawn for. */
const DRAWN_FOR_PX = 14;

const AT_THAT_SIZE = {
  type: DRAWN_FOR_PX,
  typeTiny: 11,
  margin: 10,
  nodeWidth: 112,
  nodeWidthMin: 56,
  /** An address of most labs fits still. */
  nodeWidthShort: 80,
  nodeHeight: 46,
  nodeGap: 8,
  /** Of a switch's node, for each user port. */
  portWidth: 72,
  /** From a node's edge to the middle of a label; of a label of one line above or below it. */
  labelGap: 20,
  flatLabelGap: 10,
  /** Of a label of one line beside its node. */
  laneLabelGap: 34,
  /** Between two nodes side by side: two labels and a dot. One above the other: the same, flat. */
  roomBeside: 90,
  roomBelow: 44,
  /** From one cable to the next between the same two nodes: those that hang, and those that lie. */
  laneBeside: 76,
  laneBelow: 24,
  /** A program's tag under its node. */
  tag: 23,
  /** Beside it. */
  tagWidth: 96,
};

export type Sizes = Readonly<typeof AT_THAT_SIZE>;

export function sizesFor(typePx: number): Sizes {
  const scale = typePx > 0 ? typePx / DRAWN_FOR_PX : 1;
  const scaled = Object.entries(AT_THAT_SIZE).map(([name, px]) => [name, Math.round(px * scale)]);
  return Object.fromEntries(scaled) as Sizes;
}

/** A drawing that does not fit its pane is made with smaller type, down to this part of the page's. */
const SMALLER = [1, 0.9, 0.8, 0.7];

/** The largest of which `fits` says yes, else the smallest. */
export function largestThatFits(typePx: number, fits: (sizes: Sizes) => boolean): Sizes {
  const all = SMALLER.map((part) => sizesFor(typePx * part));
  return all.find(fits) ?? (all.at(-1) as Sizes);
}

/** The page's type; draws anew when a theme or a screen brings another. */
export function useTypePx(): number {
  return useSyncExternalStore(onThemeChange, () => tokenNumber("size"));
}
