// Delay, jitter, loss and rate of a link, one set per direction (netem at the end that sends). What is asked for is told
// by events; this waits for them, and says what was refused.

import { type FormEvent, useState } from "react";
import { ApiError } from "../../api/client";
import type { ErrorBody, Impairment } from "../../api/types";
import { Dialog } from "../../ui/Dialog";
import { useLabSession, useSession } from "../context";
import { type Cable, impairmentOf, impairmentWords, interfaceOf, nodeOf } from "./cables";
import { changesOf, clearingOf, FIELDS, type FieldName, sameEffect, type Typed, typedOf } from "./impair_form";

const LABELS: Record<FieldName, string> = {
  delay_ms: "Delay, ms",
  jitter_ms: "Jitter, ± ms",
  loss_percent: "Loss, %",
  rate_kbit: "Rate, kbit/s",
};
const LIMITS: Record<FieldName, { max: number; step: string }> = {
  delay_ms: { max: 10_000, step: "any" },
  jitter_ms: { max: 10_000, step: "any" },
  loss_percent: { max: 100, step: "any" },
  rate_kbit: { max: 100_000_000, step: "1" },
};
const NONE: Impairment[] = [];

export default function ImpairDialog({ cable, onClose }: { cable: Cable; onClose: () => void }) {
  const session = useLabSession();
  const live = useSession((s) => s.view?.run.impairments ?? NONE);
  const running = useSession((s) => s.view?.run.state === "running");
  const [a, b] = cable.ends;
  const [alike, setAlike] = useState(() => sameEffect(impairmentOf(live, a), impairmentOf(live, b)));
  const [typed, setTyped] = useState<Record<string, Typed>>(() => ({
    [a]: typedOf(impairmentOf(live, a)),
    [b]: typedOf(impairmentOf(live, b)),
  }));
  const [asked, setAsked] = useState<string[]>([]);
  const [refusal, setRefusal] = useState<ErrorBody | null>(null);
  const finished = useSession((s) => s.view?.finished);
  const failures = useSession((s) => s.view?.failures);
  const failure = refusal ?? asked.map((id) => failures?.[id]).find((error) => error !== undefined) ?? null;
  const waiting = failure === null && asked.some((id) => !finished?.includes(id));

  const type = (end: string, name: FieldName, value: string) => {
    setAsked([]);
    setRefusal(null);
    setTyped((before) => {
      const words = { ...(before[end] as Typed), [name]: value };
      return alike ? { [a]: words, [b]: words } : { ...before, [end]: words };
    });
  };
  const ask = async (wanted: Impairment[]) => {
    setRefusal(null);
    setAsked([]);
    try {
      for (const impairment of wanted) {
        const command = await session.impair(impairment);
        if (command) setAsked((before) => [...before, command]);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setRefusal(error.body);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void ask(changesOf(live, typed));
  };
  const clear = () => {
    setTyped({ [a]: typedOf(impairmentOf([], a)), [b]: typedOf(impairmentOf([], b)) });
    void ask(clearingOf(live, cable.ends));
  };
  const one = { a, b, live, typed, running, type };
  return (
    <Dialog title={`Link ${a} – ${b}`} onClose={onClose}>
      <form className="impair-form" onSubmit={submit}>
        <label>
          <input
            type="checkbox"
            checked={alike}
            onChange={(event) => {
              setAlike(event.target.checked);
              if (event.target.checked) setTyped({ [a]: typed[a] as Typed, [b]: typed[a] as Typed });
            }}
          />{" "}
          Both directions alike
        </label>
        {alike ? (
          <Direction ends={[a, b]} title="Both directions" {...one} />
        ) : (
          <>
            <Direction ends={[a]} title={directionWords(a, b)} {...one} />
            <Direction ends={[b]} title={directionWords(b, a)} {...one} />
          </>
        )}
        {cable.colour && (
          <p className="muted small">
            {interfaceOf(a)} is a port of a switch: its queue delays only what the CPU sends. What the switch forwards
            by itself does not pass it.
          </p>
        )}
        {failure && (
          <div className="box bad" role="alert">
            <strong>{failure.message}</strong>
            {failure.hint && <p>{failure.hint}</p>}
          </div>
        )}
        <p className="small muted" role="status">
          {waiting ? "Asking the host …" : asked.length > 0 && !failure ? "Done." : ""}
        </p>
        <div className="dialog-buttons">
          <button type="button" onClick={clear} disabled={!running || waiting}>
            Clear
          </button>
          <button type="button" onClick={onClose}>
            Close
          </button>
          <button type="submit" className="primary" disabled={!running || waiting}>
            Apply
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function directionWords(from: string, to: string): string {
  return `${nodeOf(from)} → ${nodeOf(to)}: what ${interfaceOf(from)} sends`;
}

interface DirectionProps {
  /** The ends that send; the fields are those of the first. */
  ends: string[];
  title: string;
  live: readonly Impairment[];
  typed: Record<string, Typed>;
  running: boolean;
  type: (end: string, name: FieldName, value: string) => void;
}

function Direction({ ends, title, live, typed, running, type }: DirectionProps) {
  const [end = ""] = ends;
  const now = [...new Set(ends.map((e) => impairmentWords(impairmentOf(live, e)) || "nothing"))].join(" and ");
  return (
    <fieldset disabled={!running}>
      <legend>{title}</legend>
      <div className="impair-fields">
        {FIELDS.map((name) => (
          <label key={name}>
            {LABELS[name]}
            <input
              type="number"
              inputMode="decimal"
              min={0}
              max={name === "jitter_ms" ? Number(typed[end]?.delay_ms ?? 0) : LIMITS[name].max}
              step={LIMITS[name].step}
              placeholder="0"
              value={typed[end]?.[name] ?? ""}
              onChange={(event) => type(end, name, event.target.value)}
            />
          </label>
        ))}
      </div>
      <span className="muted small">Now: {now}</span>
    </fieldset>
  );
}
