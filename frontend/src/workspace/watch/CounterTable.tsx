// Every counter of the lab as a table: for who looks for one, and for who cannot see charts.

import { useEffect, useMemo, useState } from "react";
import type { Counter } from "../../api/types";
import { useLabSession } from "../context";
import { counterWords, isGauge, isLoss, whereWords } from "../counters/counter_words";
import { useLiveCells } from "../counters/live_cells";
import { useCounterSchema } from "../counters/use_schema";

const ROWS_MAX = 400;
const LOOK_EVERY_MS = 1_000;

export default function CounterTable() {
  const { counters } = useLabSession();
  const schema = useCounterSchema(counters);
  const [wanted, setWanted] = useState("");
  const [counted, setCounted] = useState(true);
  const cell = useLiveCells();
  const nonzero = useNonzero(counted);

  const rows = useMemo(() => {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    const all = (schema?.counters ?? []).map((counter, index) => ({ counter, index }));
    return all.filter(({ counter }) => words.every((word) => textOf(counter).includes(word)));
  }, [schema, wanted]);
  const shown = counted ? rows.filter(({ counter }) => nonzero.has(textOf(counter))) : rows;
  const places = byPlace(shown.slice(0, ROWS_MAX));

  if (!schema) return <p className="pane-empty">Waiting for the first counters …</p>;
  return (
    <div className="link-pane">
      <div className="link-head">
        <input
          type="search"
          aria-label="Find counters"
          placeholder="Find: server rx drop …"
          value={wanted}
          onChange={(event) => setWanted(event.target.value)}
        />
        <label className="small">
          <input type="checkbox" checked={counted} onChange={(event) => setCounted(event.target.checked)} /> not zero
        </label>
        <span className="spacer" />
        <span className="muted small">
          {shown.length} of {schema.counters.length}
        </span>
      </div>
      <table className="counter-table by-place">
        <thead>
          <tr>
            <th scope="col">Counter</th>
            <th scope="col">per s</th>
            <th scope="col">total</th>
          </tr>
        </thead>
        {[...places].map(([place, there]) => (
          <tbody key={place}>
            <tr className="place">
              <th scope="rowgroup" colSpan={3} className="mono">
                {place}
              </th>
            </tr>
            {there.map(({ counter, index }) => (
              <tr key={textOf(counter)} className={isLoss(counter) ? "loss" : ""}>
                <th scope="row" title={counter.name}>
                  {counterWords(counter)}
                  {counter.derived && <span title="Computed from the others, not counted"> ≈</span>}
                </th>
                <td ref={isGauge(counter) ? null : cell({ counter: index, shows: "rate" })} />
                <td ref={cell({ counter: index, shows: "total" })} />
              </tr>
            ))}
          </tbody>
        ))}
      </table>
      {shown.length === 0 && (
        <p className="pane-empty">{rows.length ? "All of these are zero." : "No counter is called so."}</p>
      )}
    </div>
  );
}

interface Row {
  counter: Counter;
  index: number;
}

/** Rows by where they are counted, each place where it first comes. */
function byPlace(rows: readonly Row[]): Map<string, Row[]> {
  const places = new Map<string, Row[]>();
  for (const row of rows) {
    const place = whereWords(row.counter);
    const there = places.get(place);
    if (there) there.push(row);
    else places.set(place, [row]);
  }
  return places;
}

function textOf(counter: Counter): string {
  return `${whereWords(counter)} ${counter.kind} ${counter.name} ${counterWords(counter)}`.toLowerCase();
}

/**
 * Which counters have counted anything, by their texts: another list may come at any moment. Looked at once a second, so that
 * rows do not come and go all the time.
 */
function useNonzero(wanted: boolean): ReadonlySet<string> {
  const { counters } = useLabSession();
  const [found, setFound] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    if (!wanted) return;
    const look = () => {
      const all = counters.schema?.counters ?? [];
      const now = new Set(all.flatMap((counter, i) => (counters.latest(i) > 0 ? [textOf(counter)] : [])));
      setFound((before) => (before.size === now.size && [...now].every((text) => before.has(text)) ? before : now));
    };
    look();
    const timer = window.setInterval(look, LOOK_EVERY_MS);
    return () => window.clearInterval(timer);
  }, [counters, wanted]);
  return found;
}
