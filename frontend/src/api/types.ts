// What the server sends, as docs/architecture.md and netlab/wire/ define it. Written by hand where the wire is not REST
// (websocket messages, events); the REST shapes must stay assignable from the generated schema.

export type RunStateName =
  | "queued"
  | "starting"
  | "running"
  | "resetting"
  | "paused"
  | "stopping"
  | "stopped"
  | "failed";

export interface ErrorBody {
  code: string;
  message: string;
  hint: string;
  data: Record<string, unknown>;
}

export interface CheckState {
  passed: boolean;
  ever_passed: boolean;
  observed: string;
  expected: string;
  at: string | null;
}

export interface Terminal {
  id: string;
  node: string;
  title: string;
}

export type Hook = "xdp" | "tc-ingress" | "tc-egress";
export type XdpMode = "native" | "generic";

export interface Attachment {
  node: string;
  interface: string;
  hook: Hook;
  mode: "native" | "generic" | "offload" | "";
  program_id: number;
  name: string;
}

export interface FileInfo {
  path: string;
  version: number;
  origin: string;
}

export interface Diagnostic {
  path: string;
  line: number;
  column: number;
  severity: "error" | "warning" | "note";
  message: string;
  hint: string;
  source: "clang" | "verifier" | "sandbox";
}

export interface VerifierLine {
  line: number;
  text: string;
}

export interface ProgramResult {
  program: string;
  at: number;
  outcome: "built" | "build_failed" | "refused" | "attach_failed" | "attached";
  diagnostics: Diagnostic[];
  log: VerifierLine[];
  summary: string;
  build_ms: number;
  load_ms: number;
  instructions: number;
}

export interface HostStep {
  key: string;
  title: string;
  state: "running" | "done" | "failed";
  ms: number | null;
  detail: string;
}

export interface Run {
  id: string;
  workshop: string;
  lab: string;
  state: RunStateName;
  generation: number;
  runtime: string;
  isolation: string;
  kernel: string;
  created_at: string;
  deadline: string | null;
  queue_position: number | null;
  error: ErrorBody | null;
  open_step: string | null;
  steps: Record<string, Record<string, CheckState>>;
  terminals: Terminal[];
  attachments: Attachment[];
  files: FileInfo[];
  program_results: Record<string, ProgramResult | null>;
  host_steps: HostStep[];
  can_extend: boolean;
}

export interface Check {
  id: string;
  title: string;
  hint: string;
}

export interface Step {
  id: string;
  title: string;
  html: string;
  checks: Check[];
}

export interface LabInterface {
  name: string;
  mac: string;
  addresses: string[];
}

export interface LabNode {
  name: string;
  title: string;
  interfaces: LabInterface[];
  position: { x: number; y: number } | null;
}

export interface LabLink {
  kind: string;
  /** Each written node:interface. */
  ends: string[];
}

export interface LabProgram {
  name: string;
  source: string;
  function: string;
  attach: { node: string; interface: string; hook: Hook; mode: XdpMode };
}

export interface Lab {
  id: string;
  title: string;
  summary: string;
  topic: string;
  minutes: number;
  level: string;
  nodes: LabNode[];
  links: LabLink[];
  programs: LabProgram[];
  steps: Step[];
}

export interface LabPage {
  workshop: { id: string; title: string; closes_at: string | null };
  lab: Lab;
  can_run: { ok: boolean; why: string; fix: string };
  runtime: string;
  isolation: string;
  run: Run | null;
}

export interface FileContent {
  path: string;
  version: number;
  content: string;
}

export interface Accepted {
  command: string;
}

interface EventBase {
  run: string;
  generation: number;
  at: number;
  command: string | null;
}

/** netlab/wire/events.py, without those that are hidden from browsers. */
export type RunEvent = EventBase &
  (
    | { kind: "run_state"; state: RunStateName; error: ErrorBody | null; runtime: string }
    | { kind: "host_step_started"; key: string; title: string }
    | { kind: "host_step_finished"; key: string; title: string; ok: boolean; ms: number; detail: string }
    | { kind: "command_failed"; error: ErrorBody }
    | { kind: "command_done"; what: string }
    | {
        kind: "check_result";
        step: string;
        verdicts: { check: string; passed: boolean; observed: string; expected: string }[];
      }
    | { kind: "file_saved"; path: string; version: number; origin: string; deleted: boolean }
    | ({ kind: "program_result" } & Omit<ProgramResult, "at">)
    | { kind: "programs"; attachments: Attachment[] }
    | { kind: "terminal_opened"; terminal: string; node: string; title: string }
    | { kind: "terminal_closed"; terminal: string; reason: string }
    | { kind: "node_reset"; node: string }
    | { kind: "node_stopped"; node: string }
    | { kind: "storm_stopped"; node: string; interface: string; pps: number; limit_pps: number }
    | { kind: "queue_moved"; position: number }
    | { kind: "time_changed"; deadline: number }
    | { kind: "announcement"; text: string }
  );

export interface Counter {
  node: string;
  object: string;
  kind: string;
  name: string;
  unit: string;
  derived: boolean;
}

export interface CounterSchema {
  run: string;
  version: number;
  counters: Counter[];
}

export type Rate = "fast" | "slow" | "off";

export type RunSocketMessage =
  | { type: "snapshot"; run: Run; last_event: string | null }
  | { type: "event"; id: string; event: RunEvent }
  | { type: "schema"; schema: CounterSchema };

export type TerminalSocketMessage =
  | { type: "start"; offset: number }
  | { type: "skipped"; offset: number }
  | { type: "closed"; reason: string };
