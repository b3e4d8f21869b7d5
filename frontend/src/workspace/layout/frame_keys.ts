// Keys of the frame: F6 goes from pane to pane, Ctrl+Shift+Enter fills the window with the one that has the focus, Escape
// brings all panes back. A terminal keeps F6 and Escape (its programs use them), an editor Escape.

import { useEffect } from "react";
import { focusPane } from "./Frame";
import { COLUMNS, IN_COLUMN, PANES, type Pane } from "./layout";
import { isFolded, type LayoutStore, scrollTo } from "./layout_store";

const TAKES_ESCAPE = ".xterm, .cm-editor, input, select, textarea";

export function useFrameKeys(store: LayoutStore): void {
  useEffect(() => {
    const early = (event: KeyboardEvent) => {
      if (document.querySelector("dialog[open]") || !isOurs(event, store)) return;
      event.preventDefault();
      event.stopPropagation(); // or it would be typed into the terminal as well
    };
    const late = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented || store.get().maximised === null) return;
      if (inside(event, TAKES_ESCAPE) || document.querySelector("dialog[open]")) return;
      store.maximise(null);
    };
    window.addEventListener("keydown", early, { capture: true });
    window.addEventListener("keydown", late);
    return () => {
      window.removeEventListener("keydown", early, { capture: true });
      window.removeEventListener("keydown", late);
    };
  }, [store]);
}

function isOurs(event: KeyboardEvent, store: LayoutStore): boolean {
  if (event.altKey || event.metaKey) return false;
  if (event.key === "Enter" && event.ctrlKey && event.shiftKey) return toggleMaximised(store);
  if (event.key === "F6" && !event.ctrlKey && !inside(event, ".xterm"))
    return toNextPane(store, event.shiftKey ? -1 : 1);
  return false;
}

function toggleMaximised(store: LayoutStore): boolean {
  const { maximised } = store.get();
  const pane = maximised ?? focusedPane();
  if (!pane) return false;
  store.maximise(maximised ? null : pane);
  return true;
}

function toNextPane(store: LayoutStore, step: 1 | -1): boolean {
  const state = store.get();
  const all = COLUMNS.flatMap((column) => IN_COLUMN[column]).filter((pane) => state.present.includes(pane));
  const open = state.maximised ? [state.maximised] : all.filter((pane) => !isFolded(state, pane));
  const focused = focusedPane();
  const at = focused ? open.indexOf(focused) : step > 0 ? -1 : 0;
  const next = open[(at + step + open.length) % open.length];
  if (!next) return false;
  if (state.narrow) scrollTo(COLUMNS.find((column) => IN_COLUMN[column].includes(next)) ?? "read");
  focusPane(next);
  return true;
}

function focusedPane(): Pane | null {
  const name = document.activeElement?.closest<HTMLElement>("[data-pane]")?.dataset.pane;
  return PANES.find((pane) => pane === name) ?? null;
}

function inside(event: KeyboardEvent, selector: string): boolean {
  return event.target instanceof Element && event.target.closest(selector) !== null;
}
