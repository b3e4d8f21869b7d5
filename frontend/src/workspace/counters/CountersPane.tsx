// Live charts with a table of the last values beside each, for those who cannot see lines and for projectors.

import "./counters.css";
import { useEffect, useMemo, useRef, useState } from "react";
import type { CounterSchema } from "../../api/types";
import { onThemeChange } from "../../ui/theme";
import { useLabSession } from "../context";
import { shortRate } from "../topology/layout";
import { RateChart } from "./rate_chart";
import { packetSeries, type Series, xdpPlaces, xdpSeries } from "./series";

export default function CountersPane() {
  const { counters } = useLabSession();
  const [schema, setSchema] = useState<CounterSchema | null>(counters.schema);
  const [where, setWhere] = useState("");
  useEffect(() => {
    setSchema(counters.schema);
    return counters.onSchema(() => setSchema(counters.schema));
  }, [counters]);

  const places = useMemo(() => (schema ? xdpPlaces(schema) : []), [schema]);
  const place = places.includes(where) ? where : "";
  const xdp = useMemo(() => (schema ? xdpSeries(schema, place) : []), [schema, place]);
  const packets = useMemo(() => (schema ? packetSeries(schema) : []), [schema]);

  if (!schema) return <p className="pane-empty">Waiting for the first counters …</p>;
  return (
    <div className="pane counters">
      {xdp.length > 0 && (
        <>
          <div className="pane-bar">
            <h2>XDP actions per second</h2>
            <span className="spacer" />
            <select
              aria-label="Interface of the XDP counters"
              title="In native mode the driver counts; in generic mode netlab counts drops, and derives what passed"
              value={place}
              onChange={(event) => setWhere(event.target.value)}
            >
              <option value="">all interfaces</option>
              {places.map((p) => (
                <option key={p}>{p}</option>
              ))}
            </select>
          </div>
          <ChartWithTable series={xdp} caption="XDP actions per second" />
        </>
      )}
      <div className="pane-bar">
        <h2>Packets per second</h2>
        <span className="spacer" />
        <span className="muted small">— received ┄ sent</span>
      </div>
      <ChartWithTable series={packets} caption="Packets per second by interface" />
    </div>
  );
}

const TABLE_REFRESH_MS = 250;

function ChartWithTable({ series, caption }: { series: Series[]; caption: string }) {
  const { counters } = useLabSession();
  const chart = useRef<HTMLDivElement>(null);
  const cells = useRef<(HTMLTableCellElement | null)[]>([]);
  const [theme, setTheme] = useState(0);
  useEffect(() => onThemeChange(() => setTheme((n) => n + 1)), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a canvas must be made anew for other colours
  useEffect(() => {
    if (!chart.current) return;
    let writtenAt = 0;
    const write = (latest: readonly number[]) => {
      const now = performance.now();
      if (now - writtenAt < TABLE_REFRESH_MS) return;
      writtenAt = now;
      latest.forEach((value, index) => {
        const cell = cells.current[index];
        const text = shortRate(value);
        if (cell && cell.textContent !== text) cell.textContent = text;
      });
    };
    const made = new RateChart(chart.current, counters, series, write);
    return () => made.dispose();
  }, [counters, series, theme]);

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
              <th scope="col">per second</th>
            </tr>
          </thead>
          <tbody>
            {series.map((s, index) => (
              <tr key={s.key}>
                <th scope="row" title={s.name}>
                  <span className={`swatch ${s.colour} ${s.dashed ? "dashed" : ""}`} />
                  {s.label}
                  {s.derived && (
                    <span className="muted" title="Computed from the others, not counted">
                      {" "}
                      ≈
                    </span>
                  )}
                </th>
                <td
                  ref={(cell) => {
                    cells.current[index] = cell;
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
