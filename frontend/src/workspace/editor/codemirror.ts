// CodeMirror as this page uses it: C in kernel style, colours from the design tokens, diagnostics from the server.

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, type Diagnostic as Mark, previousDiagnostic, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension, type Text, type TransactionSpec } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Diagnostic } from "../../api/types";
import { cspNonce } from "../../ui/theme";
import { DIFFERENCE_LOOK, differences } from "./differences";
import { languageOf } from "./languages";
import { registerHover } from "./register_hover";

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.controlKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.character], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.typeName)], color: "var(--code-type)" },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName))],
    color: "var(--code-function)",
  },
  { tag: [tags.processingInstruction, tags.macroName, tags.meta], color: "var(--code-macro)" },
]);

const look = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--surface)", fontSize: "var(--code-size)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--accent)" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--text-2)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--code-active-line)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--code-selection)",
  },
  ".cm-panels": { backgroundColor: "var(--surface-2)", color: "var(--text)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--text)", border: "1px solid var(--border-strong)" },
  ".cm-registers": { padding: "6px 10px 8px", maxWidth: "min(680px, 80vw)", fontFamily: "var(--font)" },
  ".cm-registers p": { margin: "0 0 4px", color: "var(--text-2)", fontSize: "var(--size-small)" },
  ".cm-registers th": { paddingRight: "10px", fontFamily: "var(--mono)", fontWeight: "400", textAlign: "left" },
  ".cm-registers td, .cm-registers th": { verticalAlign: "top", lineHeight: "1.5" },
  ".cm-registers .changed th, .cm-registers .changed td:not(.raw)": { fontWeight: "700" },
  ".cm-registers .raw": {
    paddingLeft: "14px",
    color: "var(--text-2)",
    fontFamily: "var(--mono)",
    fontSize: "var(--size-tiny)",
    overflowWrap: "anywhere",
  },
  ".cm-diagnostic": { fontFamily: "var(--font)", maxWidth: "560px", whiteSpace: "pre-wrap" },
  "&.cm-focused": { outline: "none" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--code-selection)" },
});

/** Read-only, for comparing two versions. */
export function comparison(label: string, path: string): Extension {
  const nonce = cspNonce();
  return [
    nonce ? EditorView.cspNonce.of(nonce) : [],
    lineNumbers(),
    languageOf(path),
    syntaxHighlighting(colours),
    look,
    DIFFERENCE_LOOK,
    EditorView.theme({
      ".cm-collapsedLines": { backgroundColor: "var(--surface-2)", backgroundImage: "none", color: "var(--text-2)" },
      ".cm-collapsedLines:before, .cm-collapsedLines:after": { content: "'⋯'" }, // its own sign is in few fonts
    }),
    EditorState.readOnly.of(true),
    EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
  ];
}

export interface EditorKeys {
  onBuild: () => void;
  onFormat: () => void;
}

/** What a person has chosen for all files. */
export interface EditorHabits {
  /** Otherwise Tab leaves the editor, as everywhere on the page. */
  tabIndents: boolean;
  /** Vim's keys, when they are wanted and have been loaded. */
  vim: Extension | null;
}

const tabKey = new Compartment();
const vimKeys = new Compartment();
const language = new Compartment();

export function newState(
  path: string,
  text: string,
  habits: EditorHabits,
  keys: EditorKeys,
  onChange: () => void,
): EditorState {
  const nonce = cspNonce();
  const run = (action: () => void) => () => {
    action();
    return true;
  };
  return EditorState.create({
    doc: text,
    extensions: [
      nonce ? EditorView.cspNonce.of(nonce) : [],
      keymap.of([
        { key: "Mod-Enter", run: run(keys.onBuild), preventDefault: true },
        { key: "Shift-Alt-f", run: run(keys.onFormat), preventDefault: true },
      ]),
      vimKeys.of(habits.vim ?? []), // before all other keys, which it takes over
      lineNumbers(),
      highlightSpecialChars(),
      history(),
      drawSelection(),
      indentOnInput(),
      bracketMatching(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      highlightSelectionMatches(),
      lintGutter(),
      registerHover(),
      differences(),
      language.of(languageOf(path)),
      syntaxHighlighting(colours),
      look,
      EditorView.contentAttributes.of({ "aria-label": "Source code", spellcheck: "false", tabindex: "0" }),
      tabKey.of(tabBinding(habits.tabIndents)),
      keymap.of([
        { key: "Shift-F8", run: previousDiagnostic },
        ...searchKeymap,
        ...lintKeymap,
        ...historyKeymap,
        ...defaultKeymap,
      ]),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) onChange();
      }),
    ],
  });
}

function tabBinding(on: boolean): Extension {
  return on ? keymap.of([indentWithTab]) : [];
}

/** For a state that was made when the habits were others. */
export function withHabits(habits: EditorHabits): TransactionSpec {
  return {
    effects: [tabKey.reconfigure(tabBinding(habits.tabIndents)), vimKeys.reconfigure(habits.vim ?? [])],
  };
}

export function withLanguage(extension: Extension): TransactionSpec {
  return { effects: language.reconfigure(extension) };
}

/** Replaces the text as one change, keeping what is the same at both ends, so that the cursor stays where it was. */
export function replaceText(view: EditorView, text: string): void {
  const old = view.state.doc.toString();
  if (old === text) return;
  const limit = Math.min(old.length, text.length);
  let start = 0;
  while (start < limit && old[start] === text[start]) start += 1;
  let same = 0;
  while (same < limit - start && old[old.length - 1 - same] === text[text.length - 1 - same]) same += 1;
  view.dispatch({ changes: { from: start, to: old.length - same, insert: text.slice(start, text.length - same) } });
}

const SEVERITY = { error: "error", warning: "warning", note: "info" } as const;

export function showDiagnostics(view: EditorView, diagnostics: readonly Diagnostic[]): void {
  const marks = diagnostics.map((d) => toMark(view.state.doc, d)).sort((a, b) => a.from - b.from);
  view.dispatch(setDiagnostics(view.state, marks));
}

/** Lines and columns to a stretch of the document: from the column to the end of its word, or the whole line's text. */
function toMark(doc: Text, diagnostic: Diagnostic): Mark {
  const line = doc.line(Math.max(1, Math.min(diagnostic.line, doc.lines)));
  const indent = line.text.length - line.text.trimStart().length;
  const at = diagnostic.column > 0 ? Math.min(diagnostic.column - 1, line.length) : indent;
  const word = diagnostic.column > 0 ? (/^\w+/.exec(line.text.slice(at))?.[0].length ?? 1) : line.length - indent;
  return {
    from: line.from + at,
    to: Math.min(line.to, line.from + at + word),
    severity: SEVERITY[diagnostic.severity],
    source: diagnostic.source,
    message: diagnostic.hint ? `${diagnostic.message}\n${diagnostic.hint}` : diagnostic.message,
  };
}

export function goToLine(view: EditorView, number: number, column = 0): void {
  const line = view.state.doc.line(Math.max(1, Math.min(number, view.state.doc.lines)));
  const position = Math.min(line.to, line.from + Math.max(0, column - 1));
  view.dispatch({ selection: { anchor: position }, effects: EditorView.scrollIntoView(position, { y: "center" }) });
  view.focus();
}

/** Inserts whole lines before the cursor's line and selects them; what the document has already is selected only. */
export function putText(view: EditorView, text: string): void {
  const body = text.replace(/\n*$/, "");
  const there = view.state.doc.toString().indexOf(body);
  const at = there >= 0 ? there : view.state.doc.lineAt(view.state.selection.main.head).from;
  view.dispatch({
    ...(there >= 0 ? {} : { changes: { from: at, insert: `${body}\n` } }),
    selection: { anchor: at, head: at + body.length },
    effects: EditorView.scrollIntoView(at, { y: "center" }),
  });
  view.focus();
}
