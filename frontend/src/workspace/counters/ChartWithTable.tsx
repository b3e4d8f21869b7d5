// A chart of rates over the last minute with a table of the last values beside it, for those who cannot see lines and for
// projectors. Values never pass through React. A row of the table is also the switch of its line.

import "./counters.css";
import { type RefObject, useEffect, useMemo, useRef, useState } from "react";
import { onThemeChange } from "../../ui/theme";
import { useLabSession } from "../context";
import { shortRate } from "../topology/layout";
import type { ChartGroup } from "./chart_groups";
import { type ChartView, LIVE, type Stretch } from "./chart_view";
import { RateChart } from "./rate_chart";
import type { Series } from "./series";

const TABLE_REFRESH_MS = 250;
const ALL_SHOWN: ReadonlySet<string> = new Set();

interface ChartProps {
  series: Series[];
  caption: string;
  measure?: ChartGroup["measure"];
  unit?: string;
  view?: ChartView;
  onStretch?: (stretch: Stretch) => void;
  /** Where the owner finds the drawing, to save it. */
  drawing?: RefObject<RateChart | null>;
}

export function ChartWithTable({
  series,
  caption,
  measure = "rate",
  unit,
  view = LIVE,
  onStretch,
  drawing,
}: ChartProps) {
  const { counters } = useLabSession();
  const chart = useRef<HTMLDivElement>(null);
  const cells = useRef(new Map<string, HTMLTableCellElement>());
  const [theme, setTheme] = useState(0);
  const [hidden, setHidden] = useState(ALL_SHOWN);
  const looked = useRef({ view, onStretch });
  looked.current = { view, onStretch };
  const drawn = useMemo(() => series.filter((s) => !hidden.has(s.key)), [series, hidden]);
  const selectable = onStretch !== undefined;
  useEffect(() => onThemeChange(() => setTheme((n) => n + 1)), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a canvas must be made anew for other colours and another scale
  useEffect(() => {
    if (!chart.current) return;
    let writtenAt = 0;
    const onValues = (latest: readonly number[]) => {
      const now = performance.now();
      if (now - writtenAt < TABLE_REFRESH_MS) return;
      writtenAt = now;
      latest.forEach((value, index) => {
        const cell = cells.current.get(drawn[index]?.key ?? "");
        const text = shortRate(value);
        if (cell && cell.textContent !== text) cell.textContent = text;
      });
    };
    const made = new RateChart(chart.current, {
      source: () => looked.current.view.held ?? counters,
      view: () => looked.current.view,
      series: drawn,
      measure,
      onValues,
      ...(selectable && { onStretch: (stretch: Stretch) => looked.current.onStretch?.(stretch) }),
    });
    if (drawing) drawing.current = made;
    return () => {
      if (drawing?.current === made) drawing.current = null;
      made.dispose();
    };
  }, [counters, drawn, theme, measure, view.log, selectable]);

  const toggle = (key: string) =>
    setHidden((before) => new Set(before.has(key) ? [...before].filter((k) => k !== key) : [...before, key]));
  return (
    <div className="chart-row">
      <div className="chart" ref={chart} aria-hidden="true" />
      <section
        className="chart-table"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable with the keyboard
        tabIndex={0}
        aria-label={caption}
      >
        <table>
          <caption className="visually-hidden">{caption}</caption>
          <thead className="visually-hidden">
            <tr>
              <th scope="col">Counter</th>
              <th scope="col">{unit ?? "per second"}</th>
            </tr>
          </thead>
          <tbody>
            {series.map((s) => (
              <tr key={s.key} className={hidden.has(s.key) ? "line-hidden" : ""}>
                <th scope="row">
                  <button
                    type="button"
                    className="line-switch"
                    aria-pressed={!hidden.has(s.key)}
                    title={`${s.name}. Press to ${hidden.has(s.key) ? "show" : "hide"} its line`}
                    onClick={() => toggle(s.key)}
                  >
                    <span className={`swatch ${s.colour} ${s.dashed ? "dashed" : ""}`} />
                    {s.label}
                    {s.derived && (
                      <span className="muted" title="Computed from the others, not counted">
                        {" "}
                        ≈
                      </span>
                    )}
                  </button>
                </th>
                <td
                  ref={(cell) => {
                    if (cell) cells.current.set(s.key, cell);
                    else cells.current.delete(s.key);
                  }}
                >
                  –
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </div>
  );
}
