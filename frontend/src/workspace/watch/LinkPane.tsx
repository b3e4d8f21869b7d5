// One link from both of its ends: what passes, what is lost, what its queues hold, and the way to capture or impair it.

import { lazy, Suspense, useMemo, useState } from "react";
import type { Counter, CounterSchema, Impairment } from "../../api/types";
import { Menu } from "../../ui/Menu";
import { useLabSession, useSession } from "../context";
import { ChartWithTable } from "../counters/ChartWithTable";
import { counterWords, isGauge, isLoss, placeOf } from "../counters/counter_words";
import { useLiveCells } from "../counters/live_cells";
import { packetSeries } from "../counters/series";
import { useCounterSchema } from "../counters/use_schema";
import { type Cable, impairmentOf, impairmentWords, portPlaces } from "../topology/cables";

const ImpairDialog = lazy(() => import("../topology/ImpairDialog"));
const NO_IMPAIRMENTS: Impairment[] = [];

interface Row {
  name: string;
  words: string;
  loss: boolean;
  gauge: boolean;
  /** Index of the counter at each end, null where there is none. */
  ends: [number | null, number | null];
}

/** What is counted at either end, in the order of the lab's counters. */
export function linkRows(schema: CounterSchema, ends: readonly [string, string]): Row[] {
  const rows = new Map<string, Row>();
  schema.counters.forEach((counter: Counter, index) => {
    const side = ends.indexOf(placeOf(counter));
    if (side < 0) return;
    const peer = counter.object.includes(" ") ? ` ${counter.object.split(" ").slice(1).join(" ")}` : "";
    const key = counter.name + peer;
    const row = rows.get(key) ?? {
      name: key,
      words: counterWords(counter) + peer,
      loss: isLoss(counter),
      gauge: isGauge(counter),
      ends: [null, null],
    };
    row.ends[side] = index;
    rows.set(key, row);
  });
  return [...rows.values()];
}

export default function LinkPane({ cable }: { cable: Cable }) {
  const { counters, signals } = useLabSession();
  const schema = useCounterSchema(counters);
  const switches = useSession((s) => s.page.lab.switches);
  const running = useSession((s) => s.view?.run.state === "running");
  const live = useSession((s) => s.view?.run.impairments ?? NO_IMPAIRMENTS);
  const [asked, setAsked] = useState(false);
  const cell = useLiveCells();
  const [a, b] = cable.ends;
  const rows = useMemo(() => (schema ? linkRows(schema, [a, b]) : []), [schema, a, b]);
  const series = useMemo(() => {
    const all = schema ? packetSeries(schema, portPlaces(switches)) : [];
    return all.filter((s) => s.key.startsWith(`${a} `) || s.key.startsWith(`${b} `));
  }, [schema, switches, a, b]);
  const impaired = [a, b].map((end) => [end, impairmentWords(impairmentOf(live, end))]).filter(([, words]) => words);
  return (
    <div className="link-pane">
      <div className="link-head">
        <strong className="mono">
          {a} – {b}
        </strong>
        <span className="spacer" />
        <Menu
          label="Capture"
          title="Capture packets"
          disabled={!running}
          alignEnd
          items={[[a, b], [a], [b]].map((ends) => ({
            label: ends.length > 1 ? "Both ends" : (ends[0] ?? ""),
            ...(ends.length > 1 ? { detail: "side by side, with the delay" } : {}),
            onSelect: () => signals.send({ to: "counters", do: "capture", ends }),
          }))}
        />
        <button type="button" disabled={!running} onClick={() => setAsked(true)}>
          Impair …
        </button>
      </div>
      {impaired.length > 0 && (
        <p className="impaired-words small">
          {impaired.map(([end, words]) => (
            <span key={end}>
              <span className="mono">{end}</span> sends with {words}{" "}
            </span>
          ))}
        </p>
      )}
      {series.length > 0 && (
        <div className="link-chart">
          <ChartWithTable series={series} caption={`Packets per second of ${a} and ${b}`} unit="packets/s" />
        </div>
      )}
      <table className="counter-table">
        <thead>
          <tr>
            <th scope="col">Counter</th>
            {[a, b].map((end) => (
              <th scope="colgroup" colSpan={2} key={end} className="mono">
                {end}
              </th>
            ))}
          </tr>
          <tr className="muted small">
            <th scope="col">
              <span className="visually-hidden">name</span>
            </th>
            {[a, b].flatMap((end) => [
              <th scope="col" key={`${end} rate`}>
                per s
              </th>,
              <th scope="col" key={`${end} total`}>
                total
              </th>,
            ])}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name} className={row.loss ? "loss" : ""}>
              <th scope="row" title={row.name}>
                {row.words}
              </th>
              {row.ends.flatMap((counter, side) => [
                <td
                  key={`rate ${side ? b : a}`}
                  ref={counter === null || row.gauge ? null : cell({ counter, shows: "rate" })}
                />,
                <td key={`total ${side ? b : a}`} ref={counter === null ? null : cell({ counter, shows: "total" })} />,
              ])}
            </tr>
          ))}
        </tbody>
      </table>
      {asked && (
        <Suspense>
          <ImpairDialog cable={cable} onClose={() => setAsked(false)} />
        </Suspense>
      )}
    </div>
  );
}
