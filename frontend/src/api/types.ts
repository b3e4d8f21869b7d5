// What the server sends, as docs/architecture.md and netlab/wire/ define it. Written by hand where the wire is not REST
// (websocket messages, events); the REST shapes must stay assignable from the generated schema.

import type { CaptureSeen, Packet } from "./packets";
import type { TraceSeen } from "./traces";

export type * from "./packets";
export type * from "./traces";

export type RunStateName =
  | "queued"
  | "starting"
  | "running"
  | "resetting"
  | "paused"
  | "broken"
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
  mode: "native" | "generic" | "offload" | "tcx" | "";
  program_id: number;
  name: string;
}

/** What one end of a link does to the packets that it sends; all zero: nothing. */
export interface Impairment {
  node: string;
  interface: string;
  delay_ms: number;
  jitter_ms: number;
  loss_percent: number;
  rate_kbit: number;
}

/** One frame on the wire between a conduit and its switch; `fields` are the tag's, in words, in wire order. */
export interface TaggedFrame {
  at: number;
  direction: "to_cpu" | "from_cpu";
  /** dsa, edsa, trailer, or none. */
  tagger: string;
  /** -1 when the tag names none. */
  port: number;
  port_name: string;
  fields: [string, string][];
  /** The tag's bytes in hex. */
  tag: string;
  source: string;
  destination: string;
  protocol: string;
  bytes: number;
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
  /** Why it runs in a kernel of its own; empty where it does not. */
  why_here: string;
  created_at: string;
  deadline: string | null;
  queue_position: number | null;
  /** What a running or paused run was asked to become and is not yet. */
  changing_to: RunStateName | null;
  error: ErrorBody | null;
  /** Why it was stopped, when it was not its owner who did. */
  ended_why: string;
  open_step: string | null;
  steps: Record<string, Record<string, CheckState>>;
  terminals: Terminal[];
  attachments: Attachment[];
  impairments: Impairment[];
  files: FileInfo[];
  program_results: Record<string, ProgramResult | null>;
  host_steps: HostStep[];
  can_extend: boolean;
  can_pause: boolean;
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

/** The first port has number 1 in tags; port 0 is the CPU port. */
export interface LabSwitch {
  name: string;
  node: string;
  conduit: string;
  tagger: string;
  /** `to` is what is plugged in, written node:interface. */
  ports: { name: string; to: string }[];
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
  /** Shown at first, on top; empty: the usual ones. */
  charts: string[];
  nodes: LabNode[];
  links: LabLink[];
  switches: LabSwitch[];
  programs: LabProgram[];
  steps: Step[];
}

/** `why` follows "This lab cannot run here:", or "VM labs:" where it `waits`: then it changes by itself. */
export interface CanRun {
  ok: boolean;
  why: string;
  fix: string;
  note: string;
  why_here: string;
  kernel: string;
  waits: boolean;
  retry_s: number | null;
}

export interface LabPage {
  workshop: { id: string; title: string; closes_at: string | null };
  lab: Lab;
  can_run: CanRun;
  runtime: string;
  isolation: string;
  run: Run | null;
}

export interface FileContent {
  path: string;
  version: number;
  content: string;
}

/** What the files can be compared with; `solution` is empty when it may not be seen. */
export interface Originals {
  starter: { path: string; content: string }[];
  may_see_solution: boolean;
  solution: { path: string; content: string }[];
  actions: { do: "write" | "load" | "detach" | "run"; node: string; text: string; background: boolean }[];
}

export interface Accepted {
  command: string;
}

/** A column of a map: of its key or its value. `counts`: a whole number that may be a counter. */
export interface MapField {
  name: string;
  kind: "unsigned" | "signed" | "bool" | "big" | "ipv4" | "ipv6" | "mac" | "text" | "hex";
  counts: boolean;
}

/** Text where a number would not do, or not be exact. */
export type MapCell = number | string;

/** netlab/wire/maps.py: a BPF map as it was when it was read. */
export interface SeenMap {
  id: number;
  node: string;
  name: string;
  type: string;
  program: string;
  per_cpu: boolean;
  max_entries: number;
  key: MapField[];
  value: MapField[];
  rows: MapCell[][];
  zeros: number;
  more: number;
  unread: boolean;
  note: string;
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
    | { kind: "link_impaired"; impairment: Impairment }
    | { kind: "tagged_frames"; node: string; switch: string; frames: TaggedFrame[]; skipped: number }
    | { kind: "maps"; maps: SeenMap[]; more: number }
    | { kind: "packets"; capture: string; node: string; packets: Packet[]; more: number }
    | { kind: "captures"; captures: CaptureSeen[] }
    | { kind: "trace"; trace: TraceSeen | null }
    | { kind: "functions_found"; search: string; functions: string[]; more: number }
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
  /** What it means, where its name does not say enough. */
  words?: string;
}

export interface CounterSchema {
  run: string;
  version: number;
  counters: Counter[];
  /** Every tick is told, however far apart they come: between two samples counters went steadily. */
  every_tick?: boolean;
}

export type Rate = "fast" | "slow" | "off";

export type RunSocketMessage =
  | { type: "snapshot"; run: Run; last_event: string | null }
  | { type: "event"; id: string; event: RunEvent }
  /** Kept nowhere, only shown: nothing resumes from it. */
  | { type: "live"; event: RunEvent }
  | { type: "schema"; schema: CounterSchema };

export type TerminalSocketMessage =
  | { type: "start"; offset: number; typed: number }
  | { type: "typed"; offset: number }
  | { type: "skipped"; offset: number }
  | { type: "closed"; reason: string };
