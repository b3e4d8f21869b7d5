// The left column: the lab's steps with progress, the open step's text, its checks, and the way on.

import "./instructions.css";
import { type CSSProperties, useEffect, useRef } from "react";
import type { Check, CheckState, Step } from "../../api/types";
import { isEnded } from "../../live/run_reducer";
import { useLabSession, useSession } from "../context";
import { Checks } from "./Checks";
import { Solution } from "./Solution";
import { StepMenu } from "./StepMenu";
import { StepText } from "./StepText";

const NOTHING: Record<string, Record<string, CheckState>> = {};

type Progress = "done" | "partly" | "todo";

function progressOf(checks: Check[], states: Record<string, CheckState> | undefined): Progress {
  const passed = checks.filter((check) => states?.[check.id]?.ever_passed).length;
  if (checks.length > 0 && passed === checks.length) return "done";
  return passed > 0 ? "partly" : "todo";
}

const PROGRESS_WORDS: Record<Progress, string> = { done: "done", partly: "begun", todo: "not done yet" };

export function Instructions() {
  const session = useLabSession();
  const steps = useSession((s) => s.page.lab.steps);
  const open = useSession((s) => s.step);
  const states = useSession((s) => s.view?.run.steps ?? NOTHING);
  const live = useSession((s) => s.view !== null && !isEnded(s.view.run.state));
  const at = Math.max(
    0,
    steps.findIndex((step) => step.id === open),
  );
  const step = steps[at];
  const scroller = useRef<HTMLElement>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new step begins at its top
  useEffect(() => {
    scroller.current?.scrollTo(0, 0);
  }, [open]);

  if (!step) return null;
  const done = steps.filter((s) => progressOf(s.checks, states[s.id]) === "done").length;
  const toStep = (index: number) => {
    const next = steps[index];
    if (next) void session.openStep(next.id);
  };
  return (
    <div className="pane">
      <nav className="steps" aria-label={`Steps: ${done} of ${steps.length} done`}>
        <ol style={{ "--steps": steps.length } as CSSProperties}>
          {steps.map((s, index) => (
            <StepDot
              key={s.id}
              step={s}
              number={index + 1}
              open={s.id === step.id}
              progress={progressOf(s.checks, states[s.id])}
              onOpen={() => toStep(index)}
            />
          ))}
        </ol>
        <span className="muted small count" aria-hidden="true">
          {done}/{steps.length}
        </span>
      </nav>
      <section
        className="step-scroll"
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable with the keyboard
        tabIndex={0}
        aria-label={`Step ${at + 1}: ${step.title}`}
      >
        <h2 className="step-title">
          {at + 1}. {step.title}
        </h2>
        <StepText step={step} />
        <Checks step={step} states={states[step.id]} live={live} />
        <Solution />
      </section>
      <div className="step-buttons">
        <button type="button" disabled={at === 0} onClick={() => toStep(at - 1)}>
          ← <span className="direction">Previous</span>
        </button>
        <StepMenu steps={steps} at={at} />
        <button
          type="button"
          className={at < steps.length - 1 && progressOf(step.checks, states[step.id]) === "done" ? "primary" : ""}
          disabled={at === steps.length - 1}
          onClick={() => toStep(at + 1)}
        >
          <span className="direction">Next</span> →
        </button>
      </div>
    </div>
  );
}

function StepDot(props: { step: Step; number: number; open: boolean; progress: Progress; onOpen: () => void }) {
  const { step, number, open, progress } = props;
  return (
    <li>
      <button
        type="button"
        className={`step-dot ${progress}`}
        aria-current={open ? "step" : undefined}
        aria-label={`Step ${number}: ${step.title} (${PROGRESS_WORDS[progress]})`}
        title={step.title}
        onClick={props.onOpen}
      >
        {progress === "done" ? "✓" : number}
      </button>
    </li>
  );
}
