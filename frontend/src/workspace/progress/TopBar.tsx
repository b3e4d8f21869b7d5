// The bar above everything: which lab, its state, the connection, the time that is left, and what can be done to all of it.

import "./progress.css";
import { useEffect, useState } from "react";
import { api } from "../../api/client";
import type { RunStateName } from "../../api/types";
import { isEnded } from "../../live/run_reducer";
import { ConfirmDialog } from "../../ui/Dialog";
import { Menu, type MenuItem } from "../../ui/Menu";
import { useLabSession, useSession } from "../context";
import type { SessionState } from "../session";
import { timeLeft } from "./time_left";

const STATE_WORDS: Record<RunStateName, string> = {
  queued: "In the queue",
  starting: "Starting",
  running: "Running",
  resetting: "Resetting",
  paused: "Paused",
  stopping: "Stopping",
  stopped: "Stopped",
  failed: "Failed",
};
const STATE_DOTS: Partial<Record<RunStateName, string>> = { running: "good", failed: "bad", stopped: "", paused: "" };

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
          <span className={`dot ${STATE_DOTS[run.state] ?? "warn"}`} />
          {STATE_WORDS[run.state]}
        </span>
      )}
      <Connection />
      <span className="spacer" />
      {run && run.state !== "queued" && !isEnded(run.state) && <TimeLeft deadline={run.deadline} />}
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
        {timeLeft(seconds)} left
      </span>
      {canExtend && (
        <button type="button" disabled={busy !== ""} onClick={() => session.extend()}>
          Extend
        </button>
      )}
    </span>
  );
}

function RunButtons() {
  const session = useLabSession();
  const run = useSession((s) => s.view?.run ?? null);
  const nodes = useSession((s) => s.page.lab.nodes);
  const canRun = useSession((s) => s.page.can_run);
  const busy = useSession((s) => s.busy);
  const [asking, setAsking] = useState<"stop" | "files" | null>(null);
  if (!run || isEnded(run.state)) {
    return (
      <button
        type="button"
        className="primary"
        disabled={busy !== "" || !canRun.ok}
        title={canRun.ok ? "Start this lab" : canRun.why}
        onClick={() => session.start()}
      >
        {busy === "start" ? "Starting …" : run ? "Start again" : "Start"}
      </button>
    );
  }
  const idle = run.state === "running" && busy === "";
  const resets: MenuItem[] = [
    { label: "All nodes", detail: "files are kept", onSelect: () => session.reset(true) },
    ...nodes.map((node) => ({ label: `Only ${node.name}`, onSelect: () => void session.resetNode(node.name) })),
    {
      label: "All nodes and files …",
      detail: "back to the starter files",
      danger: true,
      onSelect: () => setAsking("files"),
    },
  ];
  return (
    <>
      <Menu label="Reset ▾" title="Reset the lab or one node" items={resets} disabled={!idle} alignEnd />
      <Menu
        label="⋯"
        title="More"
        className="icon"
        alignEnd
        items={nodes.map((node) => ({
          label: `Download home of ${node.name}`,
          disabled: run.state !== "running",
          onSelect: () => location.assign(api.homeUrl(run.id, node.name)),
        }))}
      />
      <button
        type="button"
        className="danger"
        disabled={run.state === "stopping" || busy === "stop"}
        onClick={() => (run.state === "queued" ? session.stop() : setAsking("stop"))}
      >
        {run.state === "queued" ? "Leave the queue" : "Stop"}
      </button>
      {asking === "stop" && (
        <ConfirmDialog
          title="Stop this lab?"
          text="Shells and everything that was configured in them end. Your files are kept for the next start."
          action="Stop the lab"
          onConfirm={() => session.stop()}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === "files" && (
        <ConfirmDialog
          title="Reset nodes and files?"
          text="All nodes become as new and your files go back to the starter's text."
          action="Reset everything"
          onConfirm={() => session.reset(false)}
          onClose={() => setAsking(null)}
        />
      )}
    </>
  );
}
