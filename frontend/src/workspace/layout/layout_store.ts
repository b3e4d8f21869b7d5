// The layout of this page and what is done to it; remembered for each lab. Frames, splitters, the bar and the palette read
// and change it through `useLayout`. It knows nothing of what is in the panes.

import { createContext, useContext, useSyncExternalStore } from "react";
import {
  COLUMNS,
  type Column,
  canFold,
  fold,
  IN_COLUMN,
  type Layout,
  type Pane,
  PRESETS,
  type Preset,
  readLayout,
  unfold,
} from "./layout";

export interface LayoutState {
  layout: Layout;
  /** Fills the window. */
  maximised: Pane | null;
  /** Panes that the page has at the moment: no editor in a lab without files, neither before Start. */
  present: readonly Pane[];
  /** One or two columns at a time, side by side on a strip that is swiped; nothing is folded or dragged there. */
  narrow: boolean;
}

/** workspace.css changes over at the same width. */
const NARROW = "(max-width: 1099px)";
const WRITE_AFTER_MS = 300;

export class LayoutStore {
  private state: LayoutState;
  private readonly key: string;
  private readonly listeners = new Set<() => void>();
  private timer = 0;

  constructor(lab: string) {
    this.key = `netlab.layout.${lab}`;
    const query = window.matchMedia(NARROW);
    this.state = { layout: readLayout(this.kept()), maximised: null, present: [], narrow: query.matches };
    query.addEventListener("change", () => this.set({ narrow: query.matches }));
    window.addEventListener("pagehide", () => {
      if (this.timer) this.keep();
    });
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  get = (): LayoutState => this.state;

  /** Called by the page whenever its panes may have changed. */
  has(present: readonly Pane[]): void {
    if (present.join() === this.state.present.join()) return;
    const { maximised } = this.state;
    this.set({ present, maximised: maximised && present.includes(maximised) ? maximised : null });
  }

  change(layout: Layout): void {
    this.set({ layout });
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.keep(), WRITE_AFTER_MS);
  }

  apply(preset: Preset): void {
    this.set({ maximised: null });
    this.change(PRESETS[preset]);
  }

  toggleFold(pane: Pane): void {
    const { layout, present } = this.state;
    if (layout.folded.includes(pane)) this.change(unfold(layout, pane));
    else if (canFold(layout, present, pane)) {
      if (this.state.maximised === pane) this.maximise(null);
      this.change(fold(layout, pane));
    }
  }

  /** All of a column's panes at once. */
  toggleColumn(column: Column): void {
    const panes = IN_COLUMN[column].filter((pane) => this.state.present.includes(pane));
    const open = panes.filter((pane) => !this.state.layout.folded.includes(pane));
    for (const pane of open.length ? open : panes) this.toggleFold(pane);
  }

  maximise(pane: Pane | null): void {
    if (pane) this.reveal(pane);
    this.set({ maximised: pane });
  }

  /** Something happens in it that a person has asked for in another pane. */
  reveal(pane: Pane): void {
    const { layout, maximised } = this.state;
    if (maximised && maximised !== pane) this.set({ maximised: null });
    if (layout.folded.includes(pane)) this.change(unfold(layout, pane));
    if (this.state.narrow) scrollTo(columnOf(pane));
  }

  private set(change: Partial<LayoutState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }

  private kept(): string | null {
    try {
      return localStorage.getItem(this.key);
    } catch {
      return null; // a browser may forbid it
    }
  }

  private keep(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
    try {
      localStorage.setItem(this.key, JSON.stringify(this.state.layout));
    } catch {
      // forbidden or full: the layout is as it is until the page is left
    }
  }
}

export const LayoutContext = createContext<LayoutStore | null>(null);

export function useLayoutStore(): LayoutStore {
  const store = useContext(LayoutContext);
  if (!store) throw new Error("no layout above this component");
  return store;
}

/** `select` must return something that stays the same object while it has not changed. */
export function useLayout<T>(select: (state: LayoutState) => T): T {
  const store = useLayoutStore();
  return useSyncExternalStore(store.subscribe, () => select(store.get()));
}

export function isFolded({ layout, narrow, maximised }: LayoutState, pane: Pane): boolean {
  return !narrow && maximised !== pane && layout.folded.includes(pane);
}

/** A bar as wide as a line of text: there is something in the column, and all of it is folded. */
export function isThin(state: LayoutState, column: Column): boolean {
  const panes = IN_COLUMN[column].filter((pane) => state.present.includes(pane));
  return panes.length > 0 && panes.every((pane) => isFolded(state, pane));
}

export function columnOf(pane: Pane): Column {
  return COLUMNS.find((column) => IN_COLUMN[column].includes(pane)) ?? "read";
}

/** On the strip of a narrow screen. */
export function scrollTo(column: Column): void {
  document.querySelector(`[data-column=${column}]`)?.scrollIntoView({ inline: "start", block: "nearest" });
}
