// What is in the place of editor and terminals while there is no running lab: the way to start one, the host's steps as
// they happen, the queue, and what went wrong with whom to tell what.

import type { ErrorBody, HostStep, Run } from "../../api/types";
import { isEnded } from "../../live/run_reducer";
import { useLabSession, useSession } from "../context";
import { kernelSentence } from "./kernel_words";

export function StartPanel() {
  const run = useSession((s) => s.view?.run ?? null);
  const refusal = useSession((s) => s.refusal);
  return (
    <div className="pane start-panel">
      <div className="start-inner">
        {(!run || isEnded(run.state)) && <Ready run={run} />}
        {run?.state === "queued" && <Queue position={run.queue_position} />}
        {run?.state === "starting" && <h2>Starting the lab</h2>}
        {refusal && <Failure title="That did not work" error={refusal} />}
        {run && run.state !== "stopped" && <HostSteps steps={run.host_steps} />}
      </div>
    </div>
  );
}

function Ready({ run }: { run: Run | null }) {
  const session = useLabSession();
  const { lab, can_run: canRun, isolation, runtime } = useSession((s) => s.page);
  const busy = useSession((s) => s.busy);
  const failed = run?.state === "failed";
  return (
    <>
      <h2>{failed ? "The lab could not go on" : run ? "The lab has stopped" : lab.title}</h2>
      {failed && run.error && (
        <Failure title="" error={run.error} step={run.host_steps.find((s) => s.state === "failed")} />
      )}
      {!run && <p className="muted">{lab.summary}</p>}
      {run?.state === "stopped" && (
        <p className="muted">
          {run.ended_why && `${sentence(run.ended_why)} `}Your files are kept. Start it again whenever you like.
        </p>
      )}
      {canRun.ok ? (
        <p>
          <button type="button" className="primary large" disabled={busy !== ""} onClick={() => session.start()}>
            {busy === "start" ? "Starting …" : run ? "Start again" : "Start the lab"}
          </button>
        </p>
      ) : (
        <div className={canRun.waits ? "box" : "box warn"} role="status">
          <strong>
            {canRun.waits ? "VM labs" : "This lab cannot run here"}: {canRun.why}
          </strong>
          <p>{canRun.fix}</p>
        </div>
      )}
      {canRun.ok && !run && canRun.note && <p className="muted">{canRun.note}</p>}
      {!run && (
        <p className="muted small">
          {lab.nodes.length} {lab.nodes.length === 1 ? "node" : "nodes"} · about {lab.minutes} min · {lab.level}
        </p>
      )}
      {!run && canRun.ok && (
        <p className="muted small">
          {kernelSentence(runtime, isolation, canRun.kernel)} {canRun.why_here}
        </p>
      )}
    </>
  );
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function Queue({ position }: { position: number | null }) {
  return (
    <>
      <h2>All places are taken</h2>
      <p className="queue-position">{position ?? "…"}</p>
      <p className="muted">
        {position === 1 ? "You are next." : "is your number in the queue."} The lab starts by itself when a place is
        free; you can read the instructions meanwhile.
      </p>
    </>
  );
}

export function Failure({ title, error, step }: { title: string; error: ErrorBody; step?: HostStep | undefined }) {
  const id = typeof error.data.id === "string" ? error.data.id : "";
  return (
    <div className="box bad" role="alert">
      {title && <strong>{title}. </strong>}
      <strong>{error.message}</strong>
      {step && <p>It happened while: {step.title}.</p>}
      {error.hint && <p>{error.hint}</p>}
      {id && !error.hint.includes(id) && (
        <p className="small">
          Id to quote: <code>{id}</code>
        </p>
      )}
    </div>
  );
}

const STEP_SIGNS: Record<HostStep["state"], string> = { done: "✓", failed: "✗", running: "…" };
const STEP_WORDS: Record<HostStep["state"], string> = { done: "done", failed: "failed", running: "in progress" };

export function HostSteps({ steps }: { steps: HostStep[] }) {
  if (steps.length === 0) return null;
  return (
    <ol className="host-steps" aria-label="What the host does">
      {steps.map((step) => (
        <li key={step.key} className={step.state}>
          <span aria-hidden="true" className="sign">
            {STEP_SIGNS[step.state]}
          </span>
          <span className="visually-hidden">{STEP_WORDS[step.state]}: </span>
          <span>
            {step.title}
            {step.detail && <span className="muted small"> {step.detail}</span>}
          </span>
          <span className="muted small ms">{step.ms === null ? "" : milliseconds(step.ms)}</span>
        </li>
      ))}
    </ol>
  );
}

function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
