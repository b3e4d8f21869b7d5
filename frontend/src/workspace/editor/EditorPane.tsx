// The editor's pane: files as tabs, Build & load, the code, and under it what the compiler and the verifier said.

import "./editor.css";
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { Attachment, FileInfo, LabProgram, ProgramResult, XdpMode } from "../../api/types";
import { useLabSession, useSession } from "../context";
import { ConflictDialog } from "./ConflictDialog";
import { type DeskState, EditorDesk } from "./desk";
import type { SaveState } from "./file_saver";
import { ResultPanel } from "./ResultPanel";

const NO_FILES: FileInfo[] = [];
const NO_RESULTS: Record<string, ProgramResult | null> = {};
const NO_BUILDS: Record<string, string> = {};
const NO_ATTACHMENTS: Attachment[] = [];
const EMPTY: DeskState = { path: "", save: "saved", refusal: "", conflicts: [], loading: true };
const TAB_KEY = "netlab.editor.tab-indents";

export default function EditorPane() {
  const session = useLabSession();
  const runId = useSession((s) => s.view?.run.id ?? "");
  const files = useSession((s) => s.view?.run.files ?? NO_FILES);
  const programs = useSession((s) => s.page.lab.programs);
  const results = useSession((s) => s.view?.run.program_results ?? NO_RESULTS);
  const [tabIndents, setTabIndents] = useState(() => localStorage.getItem(TAB_KEY) === "1");
  const element = useRef<HTMLDivElement>(null);
  const [desk, setDesk] = useState<EditorDesk | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the desk lives as long as the run; its tab setting is set apart
  useEffect(() => {
    if (!element.current) return;
    const build = () => session.signals.send({ to: "editor", do: "build" });
    const made = new EditorDesk(element.current, session, runId, tabIndents, build);
    setDesk(made);
    return () => {
      made.dispose();
      setDesk(null);
    };
  }, [session, runId]);

  useEffect(() => desk?.sync(files), [desk, files]);
  useEffect(() => {
    const all = Object.values(results).flatMap((result) => result?.diagnostics ?? []);
    desk?.setDiagnostics(all);
  }, [desk, results]);
  const state = useSyncExternalStore(desk?.subscribe ?? neverChanges, () => desk?.getState() ?? EMPTY);

  const fileOfProgram = programs.find((p) => p.source === state.path);
  const [picked, setPicked] = useState("");
  const program = fileOfProgram ?? programs.find((p) => p.name === picked) ?? programs[0];
  const result = program ? (results[program.name] ?? null) : null;

  return (
    <div className="pane editor">
      <div className="pane-bar">
        <div className="tabs" role="tablist" aria-label="Files">
          {files.map((file) => (
            <span className="tab" key={file.path} role="presentation">
              <button
                type="button"
                role="tab"
                aria-selected={file.path === state.path}
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
        {programs.length > 1 && !fileOfProgram && (
          <select aria-label="Program" value={program?.name} onChange={(event) => setPicked(event.target.value)}>
            {programs.map((p) => (
              <option key={p.name}>{p.name}</option>
            ))}
          </select>
        )}
        {desk && program && <BuildButtons key={program.name} desk={desk} program={program} />}
      </div>
      <div className="editor-box" ref={element} />
      {desk && (
        <ResultPanel
          result={result}
          desk={desk}
          tabIndents={tabIndents}
          onTabIndents={(on) => {
            setTabIndents(on);
            localStorage.setItem(TAB_KEY, on ? "1" : "0");
            desk.setTabIndents(on);
          }}
        />
      )}
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

function BuildButtons({ desk, program }: { desk: EditorDesk; program: LabProgram }) {
  const session = useLabSession();
  const running = useSession((s) => s.view?.run.state === "running");
  const builds = useSession((s) => s.view?.building ?? NO_BUILDS);
  const attachments = useSession((s) => s.view?.run.attachments ?? NO_ATTACHMENTS);
  const [mode, setMode] = useState<XdpMode>(program.attach.mode);
  const [saving, setSaving] = useState(false);
  const building = saving || Object.values(builds).includes(program.name);
  const { node, interface: iface, hook } = program.attach;
  const attached = attachments.find((a) => a.node === node && a.interface === iface && a.hook === hook);

  const build = useCallback(async () => {
    if (!running || building) return;
    setSaving(true);
    const saved = await desk.flushAll();
    if (saved) await session.build(program.name, hook === "xdp" ? mode : null);
    else session.tell("Not built: your changes could not be saved yet.", "See the note beside the file's name.", "bad");
    setSaving(false);
  }, [running, building, desk, session, program.name, hook, mode]);

  useEffect(
    () =>
      session.signals.receive("editor", (signal) => {
        if (signal.to !== "editor") return;
        if (signal.do === "build") void build();
        else void desk.put(signal.path, signal.text);
      }),
    [session, desk, build],
  );

  return (
    <>
      {hook === "xdp" && (
        <select
          aria-label="Mode in which XDP is attached"
          title="native: in the driver; generic: in the stack, for any device"
          value={mode}
          onChange={(event) => setMode(event.target.value as XdpMode)}
        >
          <option value="native">native</option>
          <option value="generic">generic</option>
        </select>
      )}
      <button
        type="button"
        className="primary"
        disabled={!running || building}
        title={`Build ${program.source} and attach ${program.function} to ${node}:${iface} (Ctrl+Enter)`}
        aria-keyshortcuts="Control+Enter"
        onClick={() => void build()}
      >
        {building ? "Building …" : "Build & load"}
      </button>
      <button
        type="button"
        disabled={!running || !attached}
        title={attached ? `Take ${attached.name} off ${node}:${iface}` : `Nothing is attached to ${node}:${iface}`}
        onClick={() => void session.detach(node, iface, hook)}
      >
        Detach
      </button>
    </>
  );
}
