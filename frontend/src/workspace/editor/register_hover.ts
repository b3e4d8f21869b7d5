// Shows on a source line what the verifier knew of the registers there: with the pointer, or with F9 at the cursor. Lines
// that have something to tell have a dotted number. A line that was changed since the build tells nothing any more.

import { type EditorState, type Extension, RangeSet, StateEffect, StateField } from "@codemirror/state";
import {
  activateHover,
  closeHoverTooltip,
  EditorView,
  GutterMarker,
  gutterLineClass,
  hoverTooltip,
  keymap,
  type Tooltip,
} from "@codemirror/view";
import { wordsFor } from "./register_words";
import type { LineState } from "./registers";

interface Known {
  /** Where the line begins. */
  from: number;
  state: LineState;
}

const setKnown = StateEffect.define<readonly Known[]>();

const known = StateField.define<readonly Known[]>({
  create: () => [],
  update(value, transaction) {
    for (const effect of transaction.effects) if (effect.is(setKnown)) return effect.value;
    if (!transaction.docChanged) return value;
    const before = transaction.startState.doc;
    return value
      .filter(({ from }) => !transaction.changes.touchesRange(from, before.lineAt(from).to))
      .map(({ from, state }) => ({ from: transaction.changes.mapPos(from, 1), state }));
  },
});

class KnownMarker extends GutterMarker {
  override elementClass = "cm-known";
}
const MARKER = new KnownMarker();

const hover = hoverTooltip((view, position) => tooltipAt(view.state, position), { hideOn: (tr) => tr.docChanged });

export function showRegisters(view: EditorView): boolean {
  const { head } = view.state.selection.main;
  if (!tooltipAt(view.state, head)) return false;
  activateHover(view, head, 1, { tooltip: hover, until: (tr) => tr.docChanged || tr.selection !== undefined });
  const line = view.state.doc.lineAt(head);
  const found = view.state.field(known).find(({ from }) => from === line.from);
  if (found) view.dispatch({ effects: EditorView.announce.of(spoken(found.state)) });
  return true;
}

function hideRegisters(view: EditorView): boolean {
  if (view.state.field(hover.active, false)?.length === 0) return false;
  view.dispatch({ effects: closeHoverTooltip(hover) });
  return true;
}

export function registerHover(): Extension {
  return [
    known,
    hover,
    gutterLineClass.compute([known], (state) =>
      RangeSet.of(
        state.field(known).map(({ from }) => MARKER.range(from)),
        true,
      ),
    ),
    keymap.of([
      { key: "F9", run: showRegisters },
      { key: "Escape", run: hideRegisters },
    ]),
    EditorView.theme({
      ".cm-lineNumbers .cm-known": { textDecoration: "underline dotted var(--accent) 2px", textUnderlineOffset: "3px" },
    }),
  ];
}

/** Line numbers are those of the text that was built; the document must be that text. */
export function tellRegisters(view: EditorView, lines: ReadonlyMap<number, LineState>): void {
  const { doc } = view.state;
  const value = [...lines]
    .filter(([number]) => number >= 1 && number <= doc.lines)
    .map(([number, state]) => ({ from: doc.line(number).from, state }))
    .sort((a, b) => a.from - b.from);
  view.dispatch({ effects: setKnown.of(value) });
}

function tooltipAt(state: EditorState, position: number): Tooltip | null {
  const line = state.doc.lineAt(position);
  const found = state.field(known, false)?.find(({ from }) => from === line.from);
  if (!found) return null;
  return { pos: line.from, end: line.to, above: true, create: () => ({ dom: table(line.number, found.state) }) };
}

function table(line: number, { held, changed, walks }: LineState): HTMLElement {
  const root = element("div", "cm-registers");
  const again = walks > 1 ? `, the last of ${walks} times it came here` : "";
  root.append(element("p", "", `What the verifier knew after line ${line}${again}`));
  const rows = element("table");
  for (const [name, value] of [...held].sort(byName)) {
    const row = element("tr", changed.has(name) ? "changed" : "");
    const head = element("th", "", name);
    head.setAttribute("scope", "row");
    row.append(head, element("td", "", wordsFor(name, value)), element("td", "raw", value));
    rows.append(row);
  }
  root.append(rows);
  return root;
}

function spoken({ held }: LineState): string {
  return [...held]
    .sort(byName)
    .map(([name, value]) => `${name}: ${wordsFor(name, value) || value}`)
    .join(". ");
}

/** R0 ... R10, then the stack from its top. */
function byName([a]: [string, string], [b]: [string, string]): number {
  const order = (name: string) => (name.startsWith("R") ? Number(name.slice(1)) : 100 - Number(name.slice(2)));
  return order(a) - order(b);
}

function element(tag: string, className = "", text = ""): HTMLElement {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}
