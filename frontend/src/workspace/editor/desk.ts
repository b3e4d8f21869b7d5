// The open files of one run: one CodeMirror view whose state is swapped, one FileSaver a file. The pane shows what it
// tells and asks it to do things. No React.

import type { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { ApiError, api } from "../../api/client";
import type { Diagnostic, FileInfo } from "../../api/types";
import type { LabSession } from "../session";
import {
  type EditorHabits,
  goToLine,
  newState,
  putText,
  replaceText,
  showDiagnostics,
  withHabits,
  withLanguage,
} from "./codemirror";
import { comparedWith, differenceCount, goToDifference } from "./differences";
import { FileSaver, type SaveState } from "./file_saver";
import { moreLanguage } from "./languages";
import { showRegisters, tellRegisters } from "./register_hover";
import type { LineState } from "./registers";

export interface DeskState {
  path: string;
  save: SaveState;
  refusal: string;
  /** Files in conflict. */
  conflicts: string[];
  loading: boolean;
  /** With what the shown file is compared, in words; '' for nothing. */
  compared: string;
  differences: number;
  formatting: boolean;
}

interface OpenFile {
  saver: FileSaver;
  state: EditorState;
  compared: string;
  told: ReadonlyMap<number, LineState>;
}

const NOTHING_KNOWN: ReadonlyMap<number, LineState> = new Map();

export interface DeskKeys {
  onBuild: () => void;
}

/** Another text of a file, to compare it with: "the starter". */
export interface Original {
  words: string;
  text: string;
}

export const EMPTY_DESK: DeskState = {
  path: "",
  save: "saved",
  refusal: "",
  conflicts: [],
  loading: true,
  compared: "",
  differences: 0,
  formatting: false,
};

export class EditorDesk {
  state: DeskState = { ...EMPTY_DESK, loading: false };
  private readonly files = new Map<string, OpenFile>();
  private readonly view: EditorView;
  private readonly session: LabSession;
  private readonly run: string;
  private readonly keys: DeskKeys;
  private readonly listeners = new Set<() => void>();
  private habits: EditorHabits;
  private registers: { path: string; lines: ReadonlyMap<number, LineState> } = {
    path: "",
    lines: NOTHING_KNOWN,
  };
  private diagnostics: readonly Diagnostic[] = [];
  private wanted = "";

  constructor(element: HTMLElement, session: LabSession, run: string, habits: EditorHabits, keys: DeskKeys) {
    this.session = session;
    this.run = run;
    this.habits = habits;
    this.keys = keys;
    this.view = new EditorView({ parent: element, state: this.freshState("", "") });
    window.addEventListener("pagehide", this.saveAtOnce);
    window.addEventListener("online", this.saveAtOnce);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getState = (): DeskState => this.state;

  async open(path: string, line = 0, column = 0): Promise<void> {
    this.wanted = path;
    if (!this.files.has(path) && !(await this.load(path))) return;
    if (this.wanted === path) this.show(path); // another was asked for meanwhile
    if (line > 0 && this.state.path === path) goToLine(this.view, line, column);
  }

  /** Text from the instructions goes in at the cursor; text that is there already is only shown. */
  async put(path: string, text: string): Promise<void> {
    await this.open(path);
    if (this.state.path === path) putText(this.view, text);
  }

  /** What the server says there is; called on every change of the list. */
  sync(list: readonly FileInfo[]): void {
    for (const { path, version } of list) {
      void this.files.get(path)?.saver.remote(version).catch(this.tellFailure);
    }
    const sources = this.session.state.page.lab.programs.map((program) => program.source);
    const first = list.find((file) => sources.includes(file.path)) ?? list[0];
    if (!this.wanted && first) void this.open(first.path);
  }

  setDiagnostics(diagnostics: readonly Diagnostic[]): void {
    this.diagnostics = diagnostics;
    if (this.state.path) showDiagnostics(this.view, this.mine());
  }

  /** What the verifier's last log said of registers, by line of that file as it was built. */
  setRegisters(path: string, lines: ReadonlyMap<number, LineState>): void {
    this.registers = { path, lines };
    if (this.state.path) this.showRegistersOf(this.state.path);
  }

  /** At the cursor's line; a notice when there is nothing to show. */
  showRegisters(): void {
    this.view.focus();
    if (showRegisters(this.view)) return;
    this.session.tell("The verifier has said nothing of this line.", "Lines that it told of have a dotted number.");
  }

  setHabits(habits: EditorHabits): void {
    this.habits = habits;
    this.view.dispatch(withHabits(habits));
  }

  command(run: (view: EditorView) => boolean): void {
    this.view.focus();
    run(this.view);
  }

  /** Beside the shown file's text, in the editor; null ends it. */
  compare(original: Original | null, take: string): void {
    const file = this.files.get(this.state.path);
    if (!file) return;
    file.compared = original?.words ?? "";
    this.view.dispatch(comparedWith(original?.text ?? null, take));
    this.changed();
    if (original) goToDifference(this.view, true);
  }

  goToDifference(on: boolean): void {
    goToDifference(this.view, on);
  }

  /** As if it had been typed: it can be undone, and is saved. */
  setText(text: string): void {
    replaceText(this.view, text);
    this.view.focus();
  }

  async format(): Promise<void> {
    const { path } = this.state;
    const text = this.view.state.doc.toString();
    if (!path || this.state.formatting) return;
    this.set({ formatting: true });
    try {
      const { content } = await api.formatFile(this.run, path, text);
      if (this.state.path !== path || this.view.state.doc.toString() !== text) {
        this.session.tell(`${path} was not formatted: it was changed meanwhile.`, "Format it again.");
      } else this.setText(content);
    } catch (error) {
      this.tellFailure(error);
    } finally {
      this.set({ formatting: false });
    }
  }

  /** True when the server has everything that is on the screen. */
  async flushAll(keepalive = false): Promise<boolean> {
    const saved = await Promise.all([...this.files.values()].map(({ saver }) => saver.flush(keepalive)));
    return saved.every(Boolean);
  }

  conflictOf(path: string): { mine: string; theirs: string } | null {
    const saver = this.files.get(path)?.saver;
    return saver?.conflict ? { mine: saver.text, theirs: saver.conflict.content } : null;
  }

  resolve(path: string, choice: "mine" | "theirs"): void {
    this.files.get(path)?.saver.resolve(choice);
  }

  lineText(path: string, line: number): string {
    const text = this.files.get(path)?.saver.text ?? "";
    return text.split("\n")[line - 1]?.trim() ?? "";
  }

  focus(): void {
    this.view.focus();
  }

  dispose(): void {
    window.removeEventListener("pagehide", this.saveAtOnce);
    window.removeEventListener("online", this.saveAtOnce);
    void this.flushAll(true);
    for (const { saver } of this.files.values()) saver.dispose();
    this.view.destroy();
  }

  private readonly saveAtOnce = () => void this.flushAll(true);

  private readonly tellFailure = (error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
    this.session.tell(error.body.message, error.body.hint, "bad");
  };

  private async load(path: string): Promise<boolean> {
    this.set({ loading: true });
    try {
      const file = await api.readFile(this.run, path);
      if (this.files.has(path)) return true;
      const { workshop, lab } = this.session.state.page;
      const saver = new FileSaver(file, {
        put: (p, content, base, keepalive) => api.writeFile(this.run, p, content, base, keepalive),
        read: (p) => api.readFile(this.run, p),
        onReplace: (text) => this.replace(path, text),
        onState: () => this.changed(),
        setTimeout: (run, ms) => window.setTimeout(run, ms),
        clearTimeout: (timer) => window.clearTimeout(timer),
        drafts: localStorage,
        draftKey: `netlab.draft.${workshop.id}.${lab.id}.${path}`,
      });
      this.files.set(path, { saver, state: this.freshState(path, file.content), compared: "", told: NOTHING_KNOWN });
      saver.restoreDraft();
      void this.addLanguage(path);
      return true;
    } catch (error) {
      this.tellFailure(error);
      return false;
    } finally {
      this.set({ loading: false });
    }
  }

  private async addLanguage(path: string): Promise<void> {
    const extension = await moreLanguage(path);
    const file = this.files.get(path);
    if (!extension || !file) return;
    if (this.state.path === path) this.view.dispatch(withLanguage(extension));
    else file.state = file.state.update(withLanguage(extension)).state;
  }

  private freshState(path: string, text: string): EditorState {
    const keys = { onBuild: this.keys.onBuild, onFormat: () => void this.format() };
    return newState(path, text, this.habits, keys, () => {
      const file = this.files.get(path);
      const shown = this.view.state.doc.toString();
      if (file && this.state.path === path && shown !== file.saver.text) file.saver.edited(shown);
      if (file?.compared) this.changed();
    });
  }

  private show(path: string): void {
    const before = this.files.get(this.state.path);
    if (before) before.state = this.view.state;
    const file = this.files.get(path);
    if (!file) return;
    this.view.setState(file.state);
    this.view.dispatch(withHabits(this.habits));
    this.set({ path });
    this.changed();
    showDiagnostics(this.view, this.mine());
    this.showRegistersOf(path);
  }

  /** Once for each log: lines that were typed in since have been taken out of what is shown. */
  private showRegistersOf(path: string): void {
    const file = this.files.get(path);
    const lines = this.registers.path === path ? this.registers.lines : NOTHING_KNOWN;
    if (!file || file.told === lines) return;
    file.told = lines;
    tellRegisters(this.view, lines);
  }

  private replace(path: string, text: string): void {
    const file = this.files.get(path);
    if (!file) return;
    file.saver.text = text;
    if (this.state.path === path) replaceText(this.view, text);
    else file.state = this.freshState(path, text);
  }

  private mine(): Diagnostic[] {
    return this.diagnostics.filter((d) => d.path === this.state.path);
  }

  private changed(): void {
    const file = this.files.get(this.state.path);
    const saver = file?.saver;
    const conflicts = [...this.files].filter(([, file]) => file.saver.conflict).map(([path]) => path);
    this.set({
      save: saver?.state ?? "saved",
      refusal: saver?.refusal ?? "",
      conflicts,
      compared: file?.compared ?? "",
      differences: file?.compared ? differenceCount(this.view.state) : 0,
    });
  }

  private set(change: Partial<DeskState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}
