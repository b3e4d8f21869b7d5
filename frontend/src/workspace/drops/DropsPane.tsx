// Every packet that the kernel has given up in the lab: where, why in plain words, how fast and how many. Fastest and newest first.

import "./drops.css";
import { useEffect, useMemo, useRef, useState } from "react";
import { useCommands } from "../commands";
import { useLabSession } from "../context";
import { isLoss, whereWords } from "../counters/counter_words";
import { useLiveCells } from "../counters/live_cells";
import { useCounterSchema } from "../counters/use_schema";
import { type Drop, drops, explanation, inOrder, notice, reason, type Seen } from "./drop_list";

const SORT_EVERY_MS = 1_000;
const ROWS_MAX = 200;

export default function DropsPane() {
  const { counters } = useLabSession();
  const schema = useCounterSchema(counters);
  const cell = useLiveCells();
  const rows = useMemo(() => drops(schema?.counters ?? []), [schema]);
  const shown = useSorted(rows);
  useCommands("drops", [
    {
      id: "drops.help",
      title: "Why packets are dropped (a new tab)",
      group: "Counters",
      run: () => window.open("/help/drops/", "_blank", "noreferrer"),
    },
  ]);

  if (!schema) return <p className="pane-empty">Waiting for the first counters …</p>;
  if (shown.length === 0)
    return (
      <p className="pane-empty">
        No packet has been dropped yet. <a href="/help/drops/">Why packets are dropped</a>
      </p>
    );
  return (
    <div className="link-pane">
      <table className="counter-table drops">
        <thead>
          <tr>
            <th scope="col">Where</th>
            <th scope="col">Why</th>
            <th scope="col">per s</th>
            <th scope="col">total</th>
          </tr>
        </thead>
        <tbody>
          {shown.slice(0, ROWS_MAX).map(({ key, counter, index }) => (
            <tr key={key} className={isLoss(counter) ? "loss" : ""}>
              <th scope="row" className="mono">
                {whereWords(counter)}
              </th>
              <td className="words">
                {counter.words || counter.name}{" "}
                <a
                  className="mono reason"
                  href={explanation(counter)}
                  target="_blank"
                  rel="noreferrer"
                  title="What this reason means (a new tab)"
                >
                  {reason(counter)}
                </a>
              </td>
              <td ref={cell({ counter: index, shows: "rate" })} />
              <td ref={cell({ counter: index, shows: "total" })} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Put in order once a second: rows must stay long enough to be read. */
function useSorted(rows: readonly Drop[]): readonly Drop[] {
  const { counters } = useLabSession();
  const seen = useRef<Seen>(new Map());
  const [order, setOrder] = useState<readonly Drop[]>(rows);
  useEffect(() => {
    const sort = () => {
      notice(seen.current, rows, counters);
      const now = inOrder(rows, seen.current, counters);
      setOrder((before) => (before.length === now.length && before.every((row, i) => row === now[i]) ? before : now));
    };
    sort();
    const timer = window.setInterval(sort, SORT_EVERY_MS);
    return () => window.clearInterval(timer);
  }, [rows, counters]);
  return order;
}
