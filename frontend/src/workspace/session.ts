// What the page holds: the lab, the run, the connection, the open step; and what a person can do about them. Panes read
// it through `useSession`; every write goes through a method here. It knows nothing of React or of the DOM's elements.

import { ApiError, api } from "../api/client";
import type { CanRun, ErrorBody, Impairment, LabPage, Run, TraceWish, XdpMode } from "../api/types";
import { CounterStore } from "../live/counters";
import { MapStore } from "../live/maps";
import { PacketStore } from "../live/packets";
import {
  addNotice,
  applyEvent,
  buildAsked,
  dismissNotice,
  fromSnapshot,
  isEnded,
  mergeAnswer,
  type RunView,
} from "../live/run_reducer";
import { RunSocket } from "../live/run_socket";
import type { ConnectionState } from "../live/socket";
import { FrameStore } from "../live/tagged_frames";
import { TraceStore } from "../live/trace";
import { Commands } from "./commands";
import { keepNotices, keptNotices } from "./progress/kept_notices";
import { Signals } from "./signals";

const RESUMED_SHOWN_MS = 4_000;
const ALIVE_EVERY_MS = 5_000;
/** Where the server does not say when to ask again whether the lab can run. */
const ASK_AGAIN_S = 15;

export interface SessionState {
  page: LabPage;
  view: RunView | null;
  connection: ConnectionState | "resumed" | "none";
  closeCode: number;
  step: string;
  /** What was asked of the whole run and is not answered yet. */
  busy: "" | "start" | "stop" | "reset" | "pause" | "resume" | "extend";
  /** The last request that was refused, shown where it was pressed. */
  refusal: ErrorBody | null;
}

export class LabSession {
  state: SessionState;
  readonly counters = new CounterStore();
  readonly frames = new FrameStore();
  readonly maps = new MapStore();
  readonly packets = new PacketStore();
  readonly trace = new TraceStore();
  readonly signals = new Signals();
  readonly commands = new Commands();
  private socket: RunSocket | null = null;
  private readonly listeners = new Set<() => void>();
  private resumedTimer = 0;
  private noticeNumber = 0;

  constructor(page: LabPage) {
    const view = page.run
      ? { ...fromSnapshot(page.run, null), notices: keptNotices(sessionStorage, page.run.id) }
      : null;
    const steps = page.lab.steps;
    const wanted = page.run?.open_step ?? localStorage.getItem(this.stepKey(page));
    this.state = {
      page,
      view,
      connection: "none",
      closeCode: 0,
      step: steps.find((s) => s.id === wanted)?.id ?? steps[0]?.id ?? "",
      busy: "",
      refusal: null,
    };
    if (view && !isEnded(view.run.state)) this.connect(view.run.id);
    this.watchPage();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getState = (): SessionState => this.state;

  get run(): Run | null {
    return this.state.view?.run ?? null;
  }

  // ---- what a person can do

  start(): Promise<void> {
    const { workshop, lab } = this.state.page;
    return this.request("start", async () => {
      const run = await api.startRun(workshop.id, lab.id);
      const fresh = run.id !== this.run?.id;
      this.set({ view: fromSnapshot(run, null) });
      if (fresh || !this.socket) this.connect(run.id);
    });
  }

  stop(): Promise<void> {
    return this.about("stop", (run) => api.stopRun(run.id));
  }

  reset(keepFiles: boolean): Promise<void> {
    return this.about("reset", (run) => api.resetRun(run.id, keepFiles));
  }

  /** A lab as new, with all steps before this one done; what was written in files is kept beside them. */
  async bringToStep(step: string): Promise<void> {
    await this.about("reset", (run) => api.bringToStep(run.id, step));
    if (this.state.refusal) return;
    this.set({ step });
    localStorage.setItem(this.stepKey(this.state.page), step);
  }

  pause(): Promise<void> {
    return this.about("pause", (run) => api.pauseRun(run.id));
  }

  resume(): Promise<void> {
    return this.about("resume", (run) => api.resumeRun(run.id));
  }

  extend(): Promise<void> {
    return this.about("extend", (run) => api.extendRun(run.id));
  }

  async resetNode(node: string): Promise<void> {
    await this.small((run) => api.resetNode(run.id, node));
  }

  async openStep(step: string): Promise<void> {
    if (step === this.state.step) return;
    this.set({ step });
    localStorage.setItem(this.stepKey(this.state.page), step);
    const run = this.run;
    if (run && !isEnded(run.state)) await this.small((r) => api.openStep(r.id, step));
  }

  async runCheck(): Promise<void> {
    await this.small((run) => api.runCheck(run.id, this.state.step));
  }

  async build(program: string, mode: XdpMode | null): Promise<void> {
    const accepted = await this.small((run) => api.buildProgram(run.id, program, mode));
    const view = this.state.view;
    if (!accepted || !view) return;
    this.set({ view: buildAsked(view, accepted.command, program) });
  }

  async detach(node: string, iface: string, hook: string): Promise<void> {
    await this.small((run) => api.detachProgram(run.id, node, iface, hook));
  }

  /** The command's id: events with it tell how it went. Throws ApiError for the dialog that asks. */
  async impair(impairment: Impairment): Promise<string | null> {
    const run = this.run;
    return run ? (await api.impairLink(run.id, impairment)).command : null;
  }

  /** The capture's id: that of the command that began it. */
  async startCapture(node: string, iface: string, snapBytes: number): Promise<string | null> {
    const accepted = await this.small((run) => api.startCapture(run.id, node, iface, snapBytes));
    return accepted?.command ?? null;
  }

  async stopCapture(capture: string): Promise<void> {
    await this.small((run) => api.stopCapture(run.id, capture));
  }

  /** The trace's id: that of the command that began it. */
  async startTrace(wish: TraceWish): Promise<string | null> {
    const accepted = await this.small((run) => api.startTrace(run.id, wish));
    return accepted?.command ?? null;
  }

  /** Of the run's own kernel; the trace's store has them when they are told. */
  async findFunctions(search: string): Promise<void> {
    await this.small((run) => api.findFunctions(run.id, search));
  }

  async stopTrace(trace: string): Promise<void> {
    await this.small((run) => api.stopTrace(run.id, trace));
  }

  async openTerminal(node: string): Promise<string | null> {
    const terminal = await this.small((run) => api.openTerminal(run.id, node));
    const view = this.state.view;
    if (!terminal || !view) return null;
    if (!view.run.terminals.some((t) => t.id === terminal.id)) {
      this.set({ view: { ...view, run: { ...view.run, terminals: [...view.run.terminals, terminal] } } });
    }
    return terminal.id;
  }

  async closeTerminal(terminal: string): Promise<void> {
    await this.small((run) => api.closeTerminal(run.id, terminal));
  }

  tell(text: string, hint = "", tone: "info" | "bad" = "info"): void {
    const view = this.state.view;
    if (!view) return;
    this.noticeNumber += 1;
    this.set({ view: addNotice(view, { id: `local-${this.noticeNumber}`, tone, text, hint }) });
  }

  dismiss(notice: string): void {
    if (this.state.view) this.set({ view: dismissNotice(this.state.view, notice) });
  }

  dismissRefusal(): void {
    this.set({ refusal: null });
  }

  // ---- the connection

  private connect(runId: string): void {
    this.socket?.close();
    this.frames.clear();
    this.maps.clear();
    this.packets.clear();
    this.trace.clear();
    this.socket = new RunSocket(
      runId,
      {
        lastEvent: () => this.state.view?.lastEvent ?? null,
        onSnapshot: (run, lastEvent) => {
          this.set({ view: fromSnapshot(run, lastEvent, this.state.view ?? undefined) });
          this.leaveWhenEnded();
        },
        onEvent: (id, event) => {
          const view = this.state.view;
          if (view) this.set({ view: applyEvent(view, id, event) });
          this.leaveWhenEnded();
        },
        onLive: (event) => {
          if (event.run !== this.run?.id) return;
          if (event.kind === "tagged_frames") this.frames.take(event);
          else if (event.kind === "maps") this.maps.take(event);
          else if (event.kind === "packets") this.packets.takePackets(event);
          else if (event.kind === "captures") this.packets.takeCaptures(event);
          else if (event.kind === "trace") this.trace.take(event);
          else if (event.kind === "functions_found") this.trace.takeFound(event);
        },
        onConnection: (state, code) => this.connectionChanged(state, code),
      },
      this.counters,
    );
    this.socket.setRate(document.hidden ? "slow" : "fast");
    this.socket.connect();
  }

  /** Nothing more comes from a run that has ended. */
  private leaveWhenEnded(): void {
    if (!this.run || !isEnded(this.run.state)) return;
    this.socket?.close();
    this.socket = null;
    this.counters.clear();
    this.set({ connection: "none" });
  }

  private connectionChanged(state: ConnectionState, closeCode: number): void {
    window.clearTimeout(this.resumedTimer);
    const back = state === "online" && this.state.connection === "reconnecting";
    this.set({ connection: back ? "resumed" : state, closeCode });
    if (back) this.resumedTimer = window.setTimeout(() => this.set({ connection: "online" }), RESUMED_SHOWN_MS);
  }

  private watchPage(): void {
    window.addEventListener("online", () => this.socket?.retryNow());
    window.addEventListener("offline", () => this.socket?.dropNow());
    document.addEventListener("visibilitychange", () => {
      this.socket?.setRate(document.hidden ? "slow" : "fast");
      if (document.hidden) return;
      this.socket?.retryNow();
      this.socket?.checkAlive(true);
    });
    window.setInterval(() => {
      if (!document.hidden) this.socket?.checkAlive();
    }, ALIVE_EVERY_MS);
    this.waitForPlace();
  }

  /** Before Start, and it cannot run yet: ask again now and then, whoever looks at the page need not. */
  private waitForPlace(): void {
    const { can_run: canRun } = this.state.page;
    if (canRun.ok) return;
    const seconds = canRun.retry_s ?? ASK_AGAIN_S;
    window.setTimeout(async () => {
      if (!document.hidden) await this.askAgain();
      this.waitForPlace();
    }, seconds * 1000);
  }

  private async askAgain(): Promise<void> {
    const { workshop, lab } = this.state.page;
    try {
      const fresh = await api.getLabPage(workshop.id, lab.id);
      const canRun: CanRun = fresh.can_run;
      const page = { ...this.state.page, can_run: canRun, runtime: fresh.runtime, isolation: fresh.isolation };
      this.set({ page });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // it is asked again anyway
    }
  }

  // ---- requests

  private about(busy: SessionState["busy"], ask: (run: Run) => Promise<Run>): Promise<void> {
    return this.request(busy, async () => {
      const asked = this.run;
      if (!asked) return;
      const answer = await ask(asked);
      if (this.state.view) this.set({ view: mergeAnswer(this.state.view, asked, answer) });
      this.leaveWhenEnded();
    });
  }

  private async request(busy: SessionState["busy"], act: () => Promise<void>): Promise<void> {
    if (this.state.busy) return;
    this.set({ busy, refusal: null });
    try {
      await act();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.set({ refusal: error.body });
    } finally {
      this.set({ busy: "" });
    }
  }

  /** A request whose outcome comes as an event; its refusal is a notice. */
  private async small<T>(ask: (run: Run) => Promise<T>): Promise<T | null> {
    const run = this.run;
    if (!run) return null;
    try {
      return await ask(run);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.tell(error.body.message, error.body.hint, "bad");
      return null;
    }
  }

  private set(change: Partial<SessionState>): void {
    const { view } = change;
    if (view && view.notices !== this.state.view?.notices) keepNotices(sessionStorage, view.run.id, view.notices);
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }

  private stepKey(page: LabPage): string {
    return `netlab.step.${page.workshop.id}.${page.lab.id}`;
  }
}
