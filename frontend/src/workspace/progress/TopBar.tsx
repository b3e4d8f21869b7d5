// The bar above everything: which lab, its state, the connection, the time that is left, and what can be done to all of it.

import "./progress.css";
import { useEffect, useState } from "react";
import type { Run, RunStateName } from "../../api/types";
import { isEnded } from "../../live/run_reducer";
import { useLabSession, useSession } from "../context";
import type { SessionState } from "../session";
import { LayoutPresets, PaletteButton, ThemeMenu } from "./BarButtons";
import { KernelChip } from "./KernelChip";
import { RunButtons } from "./RunButtons";
import { timeLeft } from "./time_left";

const STATE_WORDS: Record<RunStateName, string> = {
  queued: "In the queue",
  starting: "Starting",
  running: "Running",
  resetting: "Resetting",
  paused: "Paused",
  broken: "Broken",
  stopping: "Stopping",
  stopped: "Stopped",
  failed: "Failed",
};
const STATE_DOTS: Partial<Record<RunStateName, string>> = {
  running: "good",
  failed: "bad",
  broken: "bad",
  stopped: "",
  paused: "",
};

function stateWords(run: Run): string {
  if (run.changing_to === "paused") return "Pausing";
  if (run.changing_to === "running") return "Resuming";
  return STATE_WORDS[run.changing_to ?? run.state];
}

export function TopBar() {
  const page = useSession((s) => s.page);
  const run = useSession((s) => s.view?.run ?? null);
  return (
    <header className="top-bar">
      <a className="brand" href={`/w/${encodeURIComponent(page.workshop.id)}/`} title="All labs of this workshop">
        netlab
      </a>
      <h1 title={page.lab.summary}>{page.lab.title}</h1>
      {run && (
        <span className="chip">
          <span className={`dot ${run.changing_to ? "warn" : (STATE_DOTS[run.state] ?? "warn")}`} />
          {stateWords(run)}
        </span>
      )}
      {run && run.state !== "queued" && !isEnded(run.state) && <KernelChip run={run} />}
      <Connection />
      <span className="spacer" />
      {run && run.state !== "queued" && !isEnded(run.state) && <TimeLeft deadline={run.deadline} />}
      <LayoutPresets />
      <PaletteButton />
      <ThemeMenu />
      <RunButtons />
    </header>
  );
}

const CONNECTION_WORDS: Record<SessionState["connection"], [string, string]> = {
  none: ["", ""],
  connecting: ["warn", "Connecting"],
  online: ["good", "Online"],
  resumed: ["good", "Resumed"],
  reconnecting: ["warn", "Reconnecting"],
  ended: ["bad", "Disconnected"],
};
const CLOSED_WORDS: Record<number, string> = {
  4401: "You are no longer signed in: open your personal link again.",
  4404: "This run is not there any more.",
  4410: "Your access to this workshop has ended.",
};

function Connection() {
  const connection = useSession((s) => s.connection);
  const closeCode = useSession((s) => s.closeCode);
  const ended = useSession((s) => !s.view || isEnded(s.view.run.state));
  const [dot, word] = CONNECTION_WORDS[connection];
  if (!word || ended) return null;
  const detail = connection === "ended" ? (CLOSED_WORDS[closeCode] ?? "") : "";
  return (
    <span className="chip" data-connection={connection} title="Connection of this page to the lab">
      <span className={`dot ${dot}`} />
      {detail || word}
    </span>
  );
}

const TICK_MS = 1_000;
const SOON_S = 10 * 60;

function TimeLeft({ deadline }: { deadline: string | null }) {
  const session = useLabSession();
  const canExtend = useSession((s) => s.view?.run.can_extend ?? false);
  const busy = useSession((s) => s.busy);
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), TICK_MS);
    return () => window.clearInterval(timer);
  }, []);
  if (!deadline) return null;
  const seconds = Math.max(0, (Date.parse(deadline) - now) / 1000);
  return (
    <span className="time-left">
      <span
        className={seconds < SOON_S ? "chip warn" : "chip"}
        title={`Ends at ${new Date(deadline).toLocaleTimeString()}`}
      >
        <span>
          {timeLeft(seconds)}
          <span className="bar-word"> left</span>
        </span>
      </span>
      {canExtend && (
        <button type="button" disabled={busy !== ""} onClick={() => session.extend()}>
          Extend
        </button>
      )}
    </span>
  );
}
