// The editor's pane: files as tabs, Build & load, the code, and under it what the compiler and the verifier said.

import "./editor.css";
import { type KeyboardEvent, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { FileInfo, ProgramResult } from "../../api/types";
import { Menu } from "../../ui/Menu";
import { useLabSession, useSession } from "../context";
import { BuildButtons } from "./BuildButtons";
import { CompareBar } from "./CompareBar";
import { ConflictDialog } from "./ConflictDialog";
import { EditorDesk, EMPTY_DESK } from "./desk";
import { useEditorActions } from "./editor_actions";
import type { SaveState } from "./file_saver";
import { useHabits } from "./habits";
import { useOriginals } from "./originals";
import { ResultPanel } from "./ResultPanel";
import { registersByLine } from "./registers";

const NO_FILES: FileInfo[] = [];
const NO_RESULTS: Record<string, ProgramResult | null> = {};
export default function EditorPane() {
  const session = useLabSession();
  const runId = useSession((s) => s.view?.run.id ?? "");
  const files = useSession((s) => s.view?.run.files ?? NO_FILES);
  const programs = useSession((s) => s.page.lab.programs);
  const results = useSession((s) => s.view?.run.program_results ?? NO_RESULTS);
  const element = useRef<HTMLDivElement>(null);
  const [desk, setDesk] = useState<EditorDesk | null>(null);
  const { habits, toggle } = useHabits();
  const originals = useOriginals(runId);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the desk lives as long as the run; its habits are set apart
  useEffect(() => {
    if (!element.current) return;
    const made = new EditorDesk(element.current, session, runId, habits, {
      onBuild: () => session.signals.send({ to: "editor", do: "build" }),
    });
    setDesk(made);
    return () => {
      made.dispose();
      setDesk(null);
    };
  }, [session, runId]);

  useEffect(() => desk?.setHabits(habits), [desk, habits]);
  useEffect(() => desk?.sync(files), [desk, files]);
  useEffect(() => {
    const all = Object.values(results).flatMap((result) => result?.diagnostics ?? []);
    desk?.setDiagnostics(all);
  }, [desk, results]);
  const state = useSyncExternalStore(desk?.subscribe ?? neverChanges, () => desk?.getState() ?? EMPTY_DESK);

  const fileOfProgram = programs.find((p) => p.source === state.path);
  const [picked, setPicked] = useState("");
  const program = fileOfProgram ?? programs.find((p) => p.name === picked) ?? programs[0];
  const result = program ? (results[program.name] ?? null) : null;
  const source = program?.source ?? "";
  useEffect(() => desk?.setRegisters(source, registersByLine(result?.log ?? [])), [desk, source, result]);
  const actions = useEditorActions({ desk, state, files, originals, habits, toggle });

  const onTabKey = (event: KeyboardEvent<HTMLElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = files.findIndex((file) => file.path === state.path);
    const next = files[(at + (step ?? 0) + files.length) % files.length];
    if (!step || !next) return;
    const tabs = event.currentTarget.querySelectorAll<HTMLElement>("[role=tab]");
    void desk?.open(next.path);
    tabs[files.indexOf(next)]?.focus();
  };

  return (
    <div className="pane editor">
      <div className="pane-bar">
        <div className="tabs" role="tablist" aria-label="Files" onKeyDown={onTabKey}>
          {files.map((file) => (
            <span className="tab" key={file.path} role="presentation">
              <button
                type="button"
                role="tab"
                aria-selected={file.path === state.path}
                tabIndex={file.path === state.path || !state.path ? 0 : -1}
                onClick={() => void desk?.open(file.path)}
              >
                {file.path}
                {state.conflicts.includes(file.path) && <span className="dot bad" title="Changed elsewhere" />}
              </button>
            </span>
          ))}
        </div>
        <SaveNote state={state.save} refusal={state.refusal} />
        <span className="spacer" />
        <div className="editor-actions">
          {programs.length > 1 && !fileOfProgram && (
            <select aria-label="Program" value={program?.name} onChange={(event) => setPicked(event.target.value)}>
              {programs.map((p) => (
                <option key={p.name}>{p.name}</option>
              ))}
            </select>
          )}
          {desk && program && <BuildButtons key={program.name} desk={desk} program={program} />}
          {desk && <Menu label="⋯" title="Editor: more" className="quiet icon" alignEnd items={actions} />}
        </div>
      </div>
      {desk && state.compared && <CompareBar desk={desk} state={state} originals={originals} />}
      <div className="editor-box" ref={element} />
      {desk && program && <ResultPanel result={result} path={source} desk={desk} />}
      {desk && state.conflicts[0] && <ConflictDialog desk={desk} path={state.conflicts[0]} />}
    </div>
  );
}

const neverChanges = () => () => undefined;

const SAVE_WORDS: Record<SaveState, string> = {
  saved: "saved",
  dirty: "…",
  saving: "saving …",
  offline: "not saved yet, trying again",
  refused: "not saved",
  conflict: "two versions",
};

function SaveNote({ state, refusal }: { state: SaveState; refusal: string }) {
  const bad = state === "offline" || state === "refused" || state === "conflict";
  const words = state === "refused" && refusal ? refusal : SAVE_WORDS[state];
  return (
    <span
      className={bad ? "small save-note bad" : "small save-note muted"}
      data-save={state}
      title="Files are saved as you type"
    >
      {words}
    </span>
  );
}
