import { describe, expect, it } from "vitest";
import type { Run, RunEvent } from "../src/api/types";
import { applyEvent, buildAsked, fromSnapshot, mergeAnswer, type Notice, type RunView } from "../src/live/run_reducer";
import { keepNotices, keptNotices } from "../src/workspace/progress/kept_notices";

const RUN: Run = {
  id: "r0123456789",
  workshop: "w",
  lab: "xdp-01-first-program",
  state: "starting",
  generation: 1,
  runtime: "namespaces",
  isolation: "strangers",
  kernel: "6.18",
  why_here: "",
  created_at: "2026-11-22T10:00:00Z",
  deadline: "2026-11-22T12:00:00Z",
  queue_position: null,
  changing_to: null,
  error: null,
  ended_why: "",
  open_step: "look",
  steps: {},
  terminals: [],
  attachments: [],
  impairments: [],
  files: [{ path: "xdp.c", version: 1, origin: "starter" }],
  program_results: { xdp: null },
  host_steps: [],
  can_extend: true,
  can_pause: false,
};

let counter = 0;
type Body = RunEvent extends infer E
  ? E extends RunEvent
    ? Omit<E, "run" | "generation" | "at" | "command">
    : never
  : never;

function apply(view: RunView, ...bodies: (Body & { command?: string; generation?: number })[]): RunView {
  return bodies.reduce((v, body) => {
    counter += 1;
    const event = { run: RUN.id, generation: 1, at: 1_800_000_000, command: null, ...body } as RunEvent;
    return applyEvent(v, `${counter}-0`, event);
  }, view);
}

const start = () => fromSnapshot(structuredClone(RUN), null);

describe("applyEvent", () => {
  it("never changes the old state", () => {
    const view = start();
    const before = structuredClone(view);
    apply(
      view,
      { kind: "host_step_started", key: "ns", title: "Create namespaces" },
      { kind: "file_saved", path: "a.c", version: 1, origin: "shell", deleted: false },
      { kind: "terminal_opened", terminal: "t1", node: "client", title: "" },
    );
    expect(view).toEqual(before);
  });

  it("remembers the last event, also one that it does not know", () => {
    const view = apply(start(), { kind: "from_the_future" } as unknown as Body);
    expect(view.lastEvent).toBe(`${counter}-0`);
    expect(view.run).toEqual(RUN);
  });

  it("leaves another run's events alone", () => {
    const view = start();
    const event = { kind: "queue_moved", position: 3, run: "rother", generation: 1, at: 0, command: null } as RunEvent;
    expect(applyEvent(view, "9-9", event)).toBe(view);
  });

  it("pairs the beginning and the end of a host step", () => {
    const view = apply(
      start(),
      { kind: "host_step_started", key: "ns", title: "Create namespaces" },
      { kind: "host_step_started", key: "links", title: "Create links" },
      { kind: "host_step_finished", key: "ns", title: "Create namespaces", ok: true, ms: 12.5, detail: "" },
      { kind: "host_step_finished", key: "links", title: "Create links", ok: false, ms: 3, detail: "no veth" },
    );
    expect(view.run.host_steps.map((s) => [s.key, s.state, s.ms])).toEqual([
      ["ns", "done", 12.5],
      ["links", "failed", 3],
    ]);
  });

  it("begins the list of host steps anew for a reset", () => {
    const running = apply(
      start(),
      { kind: "host_step_finished", key: "ns", title: "x", ok: true, ms: 1, detail: "" },
      { kind: "run_state", state: "running", error: null, runtime: "" },
    );
    expect(running.run.host_steps).toHaveLength(1);
    expect(apply(running, { kind: "run_state", state: "resetting", error: null, runtime: "" }).run.host_steps).toEqual(
      [],
    );
  });

  it("closes everything when the run ends, and says why", () => {
    const error = {
      code: "start_failed",
      message: "The lab could not be started: x.",
      hint: "Press Start again",
      data: { id: "b1" },
    };
    const view = apply(
      start(),
      { kind: "terminal_opened", terminal: "t1", node: "client", title: "" },
      { kind: "run_state", state: "failed", error, runtime: "" },
    );
    expect(view.run).toMatchObject({ state: "failed", terminals: [], attachments: [], error });
    expect(view.spoken).toContain("could not be started");
  });

  it("says what broke, keeps terminals and files, and lets only a kernel of its own be paused", () => {
    const error = { code: "run_broken", message: "Your lab's kernel panicked.", hint: "Reset", data: {} };
    const running = apply(
      start(),
      { kind: "terminal_opened", terminal: "t1", node: "client", title: "" },
      { kind: "run_state", state: "running", error: null, runtime: "vm" },
    );
    expect(running.run.can_pause).toBe(true);
    const broken = apply(running, { kind: "run_state", state: "broken", error, runtime: "vm" });
    expect(broken.run).toMatchObject({ state: "broken", error, can_pause: false });
    expect(broken.run.terminals).toHaveLength(1);
    expect(broken.spoken).toBe("The lab is broken. Your lab's kernel panicked.");
    const shared = apply(start(), { kind: "run_state", state: "running", error: null, runtime: "" });
    expect(shared.run.can_pause).toBe(false);
  });

  it("forgets what it was asked to become once it is told what it is", () => {
    const asked = {
      ...start(),
      run: { ...structuredClone(RUN), state: "paused" as const, changing_to: "running" as const },
    };
    const resumed = apply(asked, { kind: "run_state", state: "running", error: null, runtime: "vm" });
    expect(resumed.run.changing_to).toBe(null);
  });

  it("keeps the newest impairment of each end, and none of an end that has none any more", () => {
    const end = (more: object) => ({
      kind: "link_impaired" as const,
      impairment: {
        node: "client",
        interface: "eth0",
        delay_ms: 0,
        jitter_ms: 0,
        loss_percent: 0,
        rate_kbit: 0,
        ...more,
      },
    });
    const two = apply(start(), end({ delay_ms: 20 }), end({ node: "server", loss_percent: 1 }), end({ delay_ms: 40 }));
    expect(two.run.impairments.map((i) => [i.node, i.delay_ms, i.loss_percent])).toEqual([
      ["server", 0, 1],
      ["client", 40, 0],
    ]);
    expect(apply(two, end({})).run.impairments.map((i) => i.node)).toEqual(["server"]);
  });

  it("leaves what cannot be impaired to the dialog that asked, also when the answer comes later", () => {
    const error = { code: "cannot_impair", message: "No netem here.", hint: "", data: {} };
    const view = apply(start(), { kind: "command_failed", error, command: "c1" });
    expect(view.notices).toEqual([]);
    expect(view.failures.c1).toEqual(error);
    expect(view.finished).toContain("c1");
    const other = apply(view, { kind: "command_failed", error: { ...error, code: "bug" }, command: "c2" });
    expect(other.notices).toHaveLength(1);
    expect(Object.keys(other.failures)).toEqual(["c1", "c2"]);
  });

  it("keeps a check green that was green once, and speaks of changes only", () => {
    const verdict = (passed: boolean) => ({ check: "ping", passed, observed: "o", expected: "e" });
    const failed = apply(start(), { kind: "check_result", step: "look", verdicts: [verdict(false)] });
    expect(failed.run.steps.look?.ping).toMatchObject({ passed: false, ever_passed: false, observed: "o" });
    const passed = apply(failed, { kind: "check_result", step: "look", verdicts: [verdict(true)] });
    expect(passed.spoken).toBe("Check passed: ping.");
    const again = apply(passed, { kind: "check_result", step: "look", verdicts: [verdict(false)] });
    expect(again.run.steps.look?.ping).toMatchObject({ passed: false, ever_passed: true });
    expect(again.spoken).toBe("Check no longer passes: ping.");
    const same = apply(again, { kind: "check_result", step: "look", verdicts: [verdict(false)] });
    expect(same.spoken).toBe(again.spoken);
  });

  it("follows files: new, newer, older, deleted", () => {
    const saved = (path: string, version: number, deleted = false) =>
      ({ kind: "file_saved", path, version, origin: "shell", deleted }) as const;
    const view = apply(start(), saved("xdp.c", 3), saved("xdp.c", 2), saved("a.h", 1));
    expect(view.run.files.map((f) => [f.path, f.version])).toEqual([
      ["a.h", 1],
      ["xdp.c", 3],
    ]);
    expect(apply(view, saved("a.h", 2, true)).run.files.map((f) => f.path)).toEqual(["xdp.c"]);
  });

  it("knows a terminal once, whoever tells of it first", () => {
    const opened = { kind: "terminal_opened", terminal: "t1", node: "client", title: "" } as const;
    const view = apply(start(), opened, opened);
    expect(view.run.terminals).toEqual([{ id: "t1", node: "client", title: "" }]);
    expect(apply(view, { kind: "terminal_closed", terminal: "t1", reason: "x" }).run.terminals).toEqual([]);
  });

  it("says that a node has stopped, what is kept and what to do", () => {
    const view = apply(fromSnapshot(RUN, null), { kind: "node_stopped", node: "server" });
    expect(view.notices).toEqual([
      expect.objectContaining({ tone: "bad", text: expect.stringMatching(/^server has stopped/) }),
    ]);
    expect(view.notices[0]?.hint).toMatch(/Reset the node/);
  });

  it("moves the deadline and the place in the queue", () => {
    const view = apply(
      start(),
      { kind: "time_changed", deadline: 1_800_000_000 },
      { kind: "queue_moved", position: 2 },
    );
    expect(view.run.deadline).toBe(new Date(1_800_000_000_000).toISOString());
    expect(view.run.queue_position).toBe(2);
    expect(
      apply(view, { kind: "run_state", state: "starting", error: null, runtime: "" }).run.queue_position,
    ).toBeNull();
  });
});

describe("builds", () => {
  const result = {
    kind: "program_result",
    program: "xdp",
    outcome: "attached",
    diagnostics: [],
    log: [],
    summary: "Attached.",
    build_ms: 1,
    load_ms: 1,
    instructions: 2,
  } satisfies Body;

  it("wait for their result", () => {
    const asked = buildAsked(start(), "c1", "xdp");
    expect(asked.building).toEqual({ c1: "xdp" });
    const done = apply(asked, { ...result, command: "c1" });
    expect(done.building).toEqual({});
    expect(done.run.program_results.xdp).toMatchObject({ program: "xdp", summary: "Attached.", at: 1_800_000_000 });
  });

  it("do not wait for a result that overtook the answer", () => {
    const done = apply(start(), { ...result, command: "c2" });
    expect(buildAsked(done, "c2", "xdp").building).toEqual({});
  });

  it("end with a refusal too, which is told", () => {
    const asked = buildAsked(start(), "c3", "xdp");
    const error = { code: "build_timeout", message: "The compiler was stopped.", hint: "", data: {} };
    const refused = apply(asked, { kind: "command_failed", error, command: "c3" });
    expect(refused.building).toEqual({});
    expect(refused.notices.at(-1)).toMatchObject({ tone: "bad", text: "The compiler was stopped." });
  });
});

describe("mergeAnswer", () => {
  it("takes the answer when no event came meanwhile", () => {
    const view = apply(start(), { kind: "run_state", state: "running", error: null, runtime: "" });
    const merged = mergeAnswer(view, view.run, { ...view.run, state: "stopping", generation: 2 });
    expect(merged.run).toMatchObject({ state: "stopping", generation: 2 });
  });

  it("believes an event that came first", () => {
    const asked = apply(start(), { kind: "run_state", state: "running", error: null, runtime: "" });
    const done = apply(asked, { kind: "run_state", state: "resetting", error: null, runtime: "", generation: 2 });
    const back = apply(done, { kind: "run_state", state: "running", error: null, runtime: "", generation: 2 });
    const merged = mergeAnswer(back, asked.run, { ...asked.run, state: "resetting", generation: 2, deadline: "later" });
    expect(merged.run).toMatchObject({ state: "running", generation: 2, deadline: "later" });
  });
});

describe("resume", () => {
  it("gives the same as a fresh snapshot would", () => {
    const events = [
      { kind: "host_step_started", key: "ns", title: "Create namespaces" },
      { kind: "host_step_finished", key: "ns", title: "Create namespaces", ok: true, ms: 4, detail: "" },
      { kind: "terminal_opened", terminal: "t1", node: "client", title: "" },
      { kind: "run_state", state: "running", error: null, runtime: "namespaces" },
    ] as const;
    const whole = apply(start(), ...events);
    const half = apply(start(), ...events.slice(0, 2));
    const resumed = apply(fromSnapshot(structuredClone(half.run), half.lastEvent, half), ...events.slice(2));
    expect(resumed.run).toEqual(whole.run);
  });
});

describe("messages over a reload", () => {
  const store = () => {
    const all = new Map<string, string>();
    return {
      getItem: (key: string) => all.get(key) ?? null,
      setItem: (key: string, text: string) => all.set(key, text),
    };
  };
  const notice = (id: string): Notice => ({ id, tone: "info", text: `about ${id}`, hint: "" });

  it("are those that nobody has closed, of this run, and not the page's own", () => {
    const tab = store();
    keepNotices(tab, "r1", [notice("5-0"), notice("7-0"), notice("local-1")]);
    expect(keptNotices(tab, "r1").map((n) => n.id)).toEqual(["5-0", "7-0"]);
    expect(keptNotices(tab, "r2")).toEqual([]);
    keepNotices(tab, "r1", [notice("7-0")]);
    expect(keptNotices(tab, "r1").map((n) => n.id)).toEqual(["7-0"]);
  });

  it("are none when what was kept cannot be read", () => {
    expect(keptNotices({ getItem: () => "{", setItem: () => undefined }, "r1")).toEqual([]);
  });
});
