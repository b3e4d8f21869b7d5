// Old state + event = new state, as pure functions: what the page knows about a run. The same events, applied to the
// same snapshot, give what a fresh snapshot would say, so a page that resumed and one that reloaded look alike.

import type { CheckState, ErrorBody, HostStep, Impairment, Run, RunEvent, RunStateName } from "../api/types";

export type NoticeTone = "info" | "good" | "bad";

/** Something a person should be told once; `id` is the event's. */
export interface Notice {
  id: string;
  tone: NoticeTone;
  text: string;
  hint: string;
}

export interface RunView {
  run: Run;
  lastEvent: string | null;
  notices: Notice[];
  /** Programs whose build was asked for and has not ended, by the command's id. */
  building: Record<string, string>;
  /** Commands that have ended: on a fast host the event overtakes the answer that names its command. */
  finished: string[];
  /** Why commands failed, by their ids: for a dialog that waits for its own. */
  failures: Record<string, ErrorBody>;
  /** The last sentence for the status region. */
  spoken: string;
}

const NOTICES_MAX = 4;
const FINISHED_MAX = 16;

export const ENDED_STATES: ReadonlySet<RunStateName> = new Set(["stopped", "failed"]);

export function isEnded(state: RunStateName): boolean {
  return ENDED_STATES.has(state);
}

export function fromSnapshot(run: Run, lastEvent: string | null, before?: RunView): RunView {
  const same = before?.run.id === run.id ? before : undefined;
  return {
    run,
    lastEvent,
    notices: same?.notices ?? [],
    building: {}, // a result may have come while we were away; the button must not wait for it
    finished: same?.finished ?? [],
    failures: same?.failures ?? {},
    spoken: same?.spoken ?? "",
  };
}

export function applyEvent(view: RunView, id: string, event: RunEvent): RunView {
  if (event.run !== view.run.id) return view;
  return { ...reduce(view, id, event), lastEvent: id };
}

function withRun(view: RunView, change: Partial<Run>): RunView {
  return { ...view, run: { ...view.run, ...change } };
}

function withNotice(view: RunView, notice: Notice): RunView {
  const kept = view.notices.filter((n) => n.id !== notice.id).slice(-(NOTICES_MAX - 1));
  return { ...view, notices: [...kept, notice], spoken: notice.text };
}

function reduce(view: RunView, id: string, event: RunEvent): RunView {
  const { run } = view;
  switch (event.kind) {
    case "run_state":
      return reduceState(view, event.state, event);
    case "host_step_started":
      return withRun(view, {
        host_steps: upsertStep(run.host_steps, {
          key: event.key,
          title: event.title,
          state: "running",
          ms: null,
          detail: "",
        }),
      });
    case "host_step_finished":
      return withRun(view, {
        host_steps: upsertStep(run.host_steps, {
          key: event.key,
          title: event.title,
          state: event.ok ? "done" : "failed",
          ms: event.ms,
          detail: event.detail,
        }),
      });
    case "command_failed": {
      const failed = withFailure(withoutBuild(view, event.command), event.command, event.error);
      if (event.error.code === "cannot_impair") return failed; // the dialog that asked says it
      return withNotice(failed, { id, tone: "bad", text: event.error.message, hint: event.error.hint });
    }
    case "command_done":
      return withoutBuild(view, event.command);
    case "check_result":
      return reduceChecks(view, event);
    case "file_saved":
      return reduceFile(view, event);
    case "program_result": {
      const { kind: _kind, run: _run, generation: _generation, command, ...result } = event;
      const done = withoutBuild(view, command, event.program);
      return {
        ...withRun(done, { program_results: { ...run.program_results, [event.program]: result } }),
        spoken: event.summary,
      };
    }
    case "programs":
      return withRun(view, { attachments: event.attachments });
    case "terminal_opened": {
      const opened = { id: event.terminal, node: event.node, title: event.title };
      const known = run.terminals.some((t) => t.id === event.terminal);
      const others = known
        ? run.terminals.map((t) => (t.id === event.terminal ? opened : t))
        : [...run.terminals, opened];
      return withRun(view, { terminals: others });
    }
    case "terminal_closed":
      return withRun(view, { terminals: run.terminals.filter((t) => t.id !== event.terminal) });
    case "node_reset":
      return withNotice(view, { id, tone: "info", text: `${event.node} is as new.`, hint: "" });
    case "node_stopped":
      return withNotice(view, {
        id,
        tone: "bad",
        text: `${event.node} has stopped: its first process ended, and everything in it.`,
        hint: "Reset the node to go on; the files in /lab are kept.",
      });
    case "storm_stopped":
      return withNotice(view, {
        id,
        tone: "bad",
        text: `${event.node}:${event.interface} was set down: ${event.pps.toLocaleString("en")} packets a second.`,
        hint: `A lab may send ${event.limit_pps.toLocaleString("en")} a second. Stop what sends them, then set the link up again.`,
      });
    case "link_impaired":
      return withRun(withoutBuild(view, event.command), { impairments: impaired(run.impairments, event.impairment) });
    case "tagged_frames":
    case "maps":
    case "packets":
    case "captures":
    case "trace":
    case "functions_found":
      return view; // they go to stores of their own
    case "queue_moved":
      return withRun(view, { queue_position: event.position });
    case "time_changed":
      return withRun(view, { deadline: new Date(event.deadline * 1000).toISOString() });
    case "announcement":
      return withNotice(view, { id, tone: "info", text: event.text, hint: "" });
    default:
      return view; // a newer server may say more than this page knows
  }
}

function reduceState(
  view: RunView,
  state: RunStateName,
  event: { error: Run["error"]; runtime: string; generation: number },
): RunView {
  const change: Partial<Run> = {
    state,
    error: event.error,
    runtime: event.runtime || view.run.runtime,
    changing_to: null,
    can_pause: state === "running" && (event.runtime || view.run.runtime) === "vm",
    generation: Math.max(event.generation, view.run.generation),
  };
  if ((state === "starting" || state === "resetting") && view.run.state !== state) change.host_steps = [];
  if (state !== "queued") change.queue_position = null;
  if (isEnded(state)) {
    change.terminals = [];
    change.attachments = [];
  }
  return { ...withRun(view, change), spoken: spokenState(state, event.error?.message ?? ""), building: {} };
}

function spokenState(state: RunStateName, why: string): string {
  if (state === "failed") return `The lab failed. ${why}`;
  if (state === "running") return "The lab is running.";
  if (state === "stopped") return "The lab has stopped.";
  if (state === "broken") return `The lab is broken. ${why}`;
  return `The lab is ${state}.`;
}

function upsertStep(steps: HostStep[], step: HostStep): HostStep[] {
  const known = steps.some((s) => s.key === step.key);
  return known ? steps.map((s) => (s.key === step.key ? step : s)) : [...steps, step];
}

function withoutBuild(view: RunView, command: string | null, program?: string): RunView {
  const kept = Object.entries(view.building).filter(([id, name]) => id !== command && name !== program);
  const finished = command ? [...view.finished, command].slice(-FINISHED_MAX) : view.finished;
  return { ...view, building: Object.fromEntries(kept), finished };
}

function withFailure(view: RunView, command: string | null, error: ErrorBody): RunView {
  if (!command) return view;
  const kept = Object.entries(view.failures).slice(-(FINISHED_MAX - 1));
  return { ...view, failures: Object.fromEntries([...kept, [command, error]]) };
}

/** The newest word on each end; an end without any impairment needs no word. */
function impaired(all: readonly Impairment[], told: Impairment): Impairment[] {
  const others = all.filter((i) => i.node !== told.node || i.interface !== told.interface);
  const any = told.delay_ms || told.jitter_ms || told.loss_percent || told.rate_kbit;
  return any ? [...others, told] : others;
}

function reduceChecks(view: RunView, event: Extract<RunEvent, { kind: "check_result" }>): RunView {
  const before = view.run.steps[event.step] ?? {};
  const after: Record<string, CheckState> = { ...before };
  const newlyPassed: string[] = [];
  const newlyFailed: string[] = [];
  for (const verdict of event.verdicts) {
    const old = before[verdict.check];
    after[verdict.check] = {
      passed: verdict.passed,
      ever_passed: verdict.passed || (old?.ever_passed ?? false),
      observed: verdict.observed,
      expected: verdict.expected,
      at: new Date(event.at * 1000).toISOString(),
    };
    if (verdict.passed && !old?.passed) newlyPassed.push(verdict.check);
    if (!verdict.passed && old?.passed) newlyFailed.push(verdict.check);
  }
  const spoken = [
    newlyPassed.length ? `Check passed: ${newlyPassed.join(", ")}.` : "",
    newlyFailed.length ? `Check no longer passes: ${newlyFailed.join(", ")}.` : "",
  ].join(" ");
  return {
    ...withRun(view, { steps: { ...view.run.steps, [event.step]: after } }),
    spoken: spoken.trim() || view.spoken,
  };
}

function reduceFile(view: RunView, event: Extract<RunEvent, { kind: "file_saved" }>): RunView {
  const others = view.run.files.filter((f) => f.path !== event.path);
  if (event.deleted) return withRun(view, { files: others });
  const known = view.run.files.find((f) => f.path === event.path);
  if (known && known.version >= event.version) return view;
  const file = { path: event.path, version: event.version, origin: event.origin };
  const files = known ? view.run.files.map((f) => (f.path === event.path ? file : f)) : [...others, file];
  return withRun(view, { files: files.sort((a, b) => a.path.localeCompare(b.path)) });
}

/** The answer to a request about the whole run. Events that came meanwhile know better than the answer. */
export function mergeAnswer(view: RunView, asked: Run, answer: Run): RunView {
  const { run } = view;
  if (answer.id !== run.id) return view;
  const untouched = run.state === asked.state && run.generation === asked.generation;
  const always = { deadline: answer.deadline, can_extend: answer.can_extend, open_step: answer.open_step };
  const may = { changing_to: answer.changing_to, can_pause: answer.can_pause };
  if (!untouched) return withRun(view, always);
  const reset = answer.state === "resetting" && run.state !== "resetting" ? { host_steps: [] } : {};
  return withRun(view, {
    ...always,
    ...may,
    ...reset,
    state: answer.state,
    generation: answer.generation,
    queue_position: answer.queue_position,
    error: answer.error,
  });
}

/** Something that only this page knows, told like an event. */
export function addNotice(view: RunView, notice: Notice): RunView {
  return withNotice(view, notice);
}

export function dismissNotice(view: RunView, id: string): RunView {
  return { ...view, notices: view.notices.filter((n) => n.id !== id) };
}

export function buildAsked(view: RunView, command: string, program: string): RunView {
  if (view.finished.includes(command)) return view;
  return { ...view, building: { ...view.building, [command]: program } };
}
