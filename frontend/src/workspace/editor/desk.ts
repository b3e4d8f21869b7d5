// The open files of one run: one CodeMirror view whose state is swapped, one FileSaver a file. The pane shows what it
// tells and asks it to do things. No React.

import type { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { ApiError, api } from "../../api/client";
import type { Diagnostic, FileInfo } from "../../api/types";
import type { LabSession } from "../session";
import { goToLine, newState, putText, replaceText, setTabIndents, showDiagnostics } from "./codemirror";
import { FileSaver, type SaveState } from "./file_saver";

export interface DeskState {
  path: string;
  save: SaveState;
  refusal: string;
  /** Files in conflict. */
  conflicts: string[];
  loading: boolean;
}

interface OpenFile {
  saver: FileSaver;
  state: EditorState;
}

export class EditorDesk {
  state: DeskState = { path: "", save: "saved", refusal: "", conflicts: [], loading: false };
  private readonly files = new Map<string, OpenFile>();
  private readonly view: EditorView;
  private readonly session: LabSession;
  private readonly run: string;
  private readonly onBuild: () => void;
  private readonly listeners = new Set<() => void>();
  private tabIndents: boolean;
  private diagnostics: readonly Diagnostic[] = [];
  private wanted = "";

  constructor(element: HTMLElement, session: LabSession, run: string, tabIndents: boolean, onBuild: () => void) {
    this.session = session;
    this.run = run;
    this.tabIndents = tabIndents;
    this.onBuild = onBuild;
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

  setTabIndents(on: boolean): void {
    this.tabIndents = on;
    setTabIndents(this.view, on);
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
      this.files.set(path, { saver, state: this.freshState(path, file.content) });
      saver.restoreDraft();
      return true;
    } catch (error) {
      this.tellFailure(error);
      return false;
    } finally {
      this.set({ loading: false });
    }
  }

  private freshState(path: string, text: string): EditorState {
    return newState(text, this.tabIndents, { onBuild: this.onBuild }, () => {
      const file = this.files.get(path);
      const shown = this.view.state.doc.toString();
      if (file && this.state.path === path && shown !== file.saver.text) file.saver.edited(shown);
    });
  }

  private show(path: string): void {
    const before = this.files.get(this.state.path);
    if (before) before.state = this.view.state;
    const file = this.files.get(path);
    if (!file) return;
    this.view.setState(file.state);
    setTabIndents(this.view, this.tabIndents);
    this.set({ path });
    this.changed();
    showDiagnostics(this.view, this.mine());
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
    const saver = this.files.get(this.state.path)?.saver;
    const conflicts = [...this.files].filter(([, file]) => file.saver.conflict).map(([path]) => path);
    this.set({ save: saver?.state ?? "saved", refusal: saver?.refusal ?? "", conflicts });
  }

  private set(change: Partial<DeskState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}
