// The open step's checks: what each wants, whether it holds now, and if not, what was seen and what is expected.

import { useState } from "react";
import type { Check, CheckState, Step } from "../../api/types";
import { useLabSession } from "../context";

interface ChecksProps {
  step: Step;
  states: Record<string, CheckState> | undefined;
  live: boolean;
}

export function Checks({ step, states, live }: ChecksProps) {
  const session = useLabSession();
  if (step.checks.length === 0) return null;
  const passed = step.checks.filter((check) => states?.[check.id]?.ever_passed).length;
  return (
    <section className="checks" aria-labelledby="checks-title">
      <div className="checks-head">
        <h2 id="checks-title">
          Checks <span className="muted">{`${passed} of ${step.checks.length}`}</span>
        </h2>
        <button type="button" className="quiet" disabled={!live} onClick={() => session.runCheck()}>
          Check now
        </button>
      </div>
      <ul>
        {step.checks.map((check) => (
          <CheckRow key={`${step.id}.${check.id}`} check={check} state={states?.[check.id]} />
        ))}
      </ul>
      <p className="muted small">
        {live ? "They look again by themselves while this step is open." : "They are looked at once the lab runs."}
      </p>
    </section>
  );
}

type Look = "passed" | "was" | "failed" | "unknown";
const SIGNS: Record<Look, string> = { passed: "✓", was: "✓", failed: "✗", unknown: "○" };
const WORDS: Record<Look, string> = {
  passed: "passed",
  was: "passed before, not true at the moment",
  failed: "not yet",
  unknown: "not looked at yet",
};

function lookOf(state: CheckState | undefined): Look {
  if (!state?.at) return state?.passed ? "passed" : "unknown";
  if (state.passed) return "passed";
  return state.ever_passed ? "was" : "failed";
}

function CheckRow({ check, state }: { check: Check; state: CheckState | undefined }) {
  const [hint, setHint] = useState(false);
  const look = lookOf(state);
  return (
    <li className={`check ${look}`} data-check={check.id} data-look={look}>
      <span className="sign" aria-hidden="true">
        {SIGNS[look]}
      </span>
      <div>
        <span>{check.title}</span>
        <span className="visually-hidden">: {WORDS[look]}</span>
        {state && look !== "unknown" && look !== "passed" && (
          <dl>
            <dt>{look === "was" ? "Done; now" : "Observed"}</dt>
            <dd>{state.observed}</dd>
            <dt>Expected</dt>
            <dd>{state.expected}</dd>
          </dl>
        )}
        {check.hint && look !== "passed" && (
          <div>
            <button type="button" className="quiet hint-button" aria-expanded={hint} onClick={() => setHint(!hint)}>
              {hint ? "Hide the hint" : "Hint"}
            </button>
            {hint && <p className="hint">{check.hint}</p>}
          </div>
        )}
      </div>
    </li>
  );
}
