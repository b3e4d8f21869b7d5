// What the page holds: the lab, the run, the connection, the open step; and what a person can do about them. Panes read
// it through `useSession`; every write goes through a method here. It knows nothing of React or of the DOM's elements.

import { ApiError, api } from "../api/client";
import type { ErrorBody, LabPage, Run, XdpMode } from "../api/types";
import { CounterStore } from "../live/counters";
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
import { Signals } from "./signals";

const RESUMED_SHOWN_MS = 4_000;
const ALIVE_EVERY_MS = 5_000;

export interface SessionState {
  page: LabPage;
  view: RunView | null;
  connection: ConnectionState | "resumed" | "none";
  closeCode: number;
  step: string;
  /** Start, stop, reset or extend is on its way. */
  busy: "" | "start" | "stop" | "reset" | "extend";
  /** The last request that was refused, shown where it was pressed. */
  refusal: ErrorBody | null;
}

export class LabSession {
  state: SessionState;
  readonly counters = new CounterStore();
  readonly signals = new Signals();
  private socket: RunSocket | null = null;
  private readonly listeners = new Set<() => void>();
  private resumedTimer = 0;
  private noticeNumber = 0;

  constructor(page: LabPage) {
    const view = page.run ? fromSnapshot(page.run, null) : null;
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
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }

  private stepKey(page: LabPage): string {
    return `netlab.step.${page.workshop.id}.${page.lab.id}`;
  }
}
