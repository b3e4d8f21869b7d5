// A file beside another text of it (the starter's, a solution's), in the editor itself: lines that are not in yours are
// shown between them, each stretch with a button that takes it over. Typing goes on meanwhile.

import { getChunks, goToNextChunk, goToPreviousChunk, unifiedMergeView } from "@codemirror/merge";
import { Compartment, type EditorState, type Extension, type TransactionSpec } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

const compared = new Compartment();

export const DIFFERENCE_LOOK = EditorView.theme({
  ".cm-changedLine, .cm-insertedLine": { backgroundColor: "var(--good-soft) !important" },
  ".cm-deletedChunk": { backgroundColor: "var(--bad-soft) !important", paddingLeft: "6px" },
  ".cm-changedText": { background: "color-mix(in srgb, var(--good) 12%, transparent) !important" },
  ".cm-deletedText": { background: "color-mix(in srgb, var(--bad) 12%, transparent) !important" },
  ".cm-deletedLine, .cm-deletedLine del": { textDecoration: "none" },
  ".cm-changedLineGutter": { background: "var(--good) !important" },
  ".cm-deletedLineGutter": { background: "var(--bad) !important" },
  ".cm-chunkButtons": { insetInlineEnd: "10px" },
  ".cm-take": {
    minHeight: "22px",
    padding: "0 8px",
    border: "1px solid var(--border-strong) !important",
    backgroundColor: "var(--surface) !important",
    color: "var(--text) !important",
    cursor: "pointer",
    font: "var(--size-small) var(--font)",
  },
});

/** The place of the comparison in a state; nothing is compared at first. */
export function differences(): Extension {
  return compared.of([]);
}

/** Null ends the comparison. `take` is what the buttons say. */
export function comparedWith(text: string | null, take: string): TransactionSpec {
  if (text === null) return { effects: compared.reconfigure([]) };
  const controls = (kind: "reject" | "accept", action: (event: MouseEvent) => void): HTMLElement => {
    if (kind === "accept") return document.createElement("span"); // leaving it as it is needs no button
    const button = document.createElement("button");
    button.className = "cm-take";
    button.textContent = take;
    button.onmousedown = action;
    return button;
  };
  return {
    effects: compared.reconfigure([
      unifiedMergeView({ original: text, mergeControls: controls, gutter: true }),
      DIFFERENCE_LOOK,
    ]),
  };
}

export function differenceCount(state: EditorState): number {
  return getChunks(state)?.chunks.length ?? 0;
}

export function goToDifference(view: EditorView, on: boolean): void {
  (on ? goToNextChunk : goToPreviousChunk)(view);
  view.focus();
}
