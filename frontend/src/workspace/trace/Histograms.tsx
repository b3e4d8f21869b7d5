// Latency by node and stage: a table whose rows are small histograms on one logarithmic axis. With a mark, what came before it is
// drawn as an outline behind what has come since.

import type { LatencyCell } from "../../api/types";
import { seriesToken } from "../../ui/theme";
import { type Axis, axisOf, bucketAt, heights, lowerEdge, type Row, rowsOf } from "./histogram";
import { duration, STAGES } from "./trace_words";

const BAR = 20;
const HEIGHT = 26;
const LABEL_EVERY = 3;

interface HistogramsProps {
  cells: readonly LatencyCell[];
  mark: readonly LatencyCell[] | null;
  nodes: readonly string[];
}

export function Histograms({ cells, mark, nodes }: HistogramsProps) {
  const rows = rowsOf(cells, mark, nodes);
  const axis = axisOf(rows);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section className="trace-scroll" tabIndex={0} aria-label="Latency by node and stage">
      <table className="counter-table trace-table">
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">Stage</th>
            <th scope="col" className="trace-axis">
              <Scale axis={axis} />
            </th>
            <th scope="col" title="Half of the packets took less than the upper of the two">
              median
            </th>
            <th scope="col" title="99 of 100 packets took less">
              99 %
            </th>
            <th scope="col">packets</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <HistogramRow key={row.key} row={row} axis={axis} colour={seriesToken(nodes.indexOf(row.node))} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function HistogramRow({ row, axis, colour }: { row: Row; axis: Axis; colour: string }) {
  const { words, about } = STAGES[row.stage];
  const median = bucketAt(row.counts, 0.5);
  const most = bucketAt(row.counts, 0.99);
  const before = row.before && bucketAt(row.before, 0.5);
  const range = median === null ? "no packet" : `${duration(lowerEdge(median))} – ${duration(lowerEdge(median + 1))}`;
  return (
    <tr>
      <th scope="row" className="mono">
        <span className={`trace-sign ${colour}`} aria-hidden="true" /> {row.node}
      </th>
      <td className="words" title={about}>
        {words}
      </td>
      <td className="trace-bars">
        <Bars row={row} axis={axis} colour={colour} label={`${row.node}, ${words}: median ${range}`} />
      </td>
      <td>
        {median === null ? "–" : range}
        {before !== null && <span className="trace-before">before {duration(lowerEdge(before + 1))}</span>}
      </td>
      <td>{most === null ? "–" : `< ${duration(lowerEdge(most + 1))}`}</td>
      <td>{row.total.toLocaleString("en")}</td>
    </tr>
  );
}

function Bars({ row, axis, colour, label }: { row: Row; axis: Axis; colour: string; label: string }) {
  const now = heights(row.counts, axis);
  const before = row.before ? heights(row.before, axis) : [];
  return (
    <svg
      className={`trace-histogram ${colour}`}
      viewBox={`0 0 ${now.length * BAR} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {now.map((share, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a bar is its bucket
        <g key={axis.from + i}>
          {share > 0 && (
            <rect x={i * BAR + 1} width={BAR - 2} y={HEIGHT - tall(share)} height={tall(share)} fill="currentColor">
              <title>
                {`${duration(lowerEdge(axis.from + i))} – ${duration(lowerEdge(axis.from + i + 1))}: ${(
                  row.counts.get(axis.from + i) ?? 0
                ).toLocaleString("en")} packets`}
              </title>
            </rect>
          )}
          {(before[i] ?? 0) > 0 && (
            <rect
              className="trace-outline"
              x={i * BAR + 2}
              width={BAR - 4}
              y={HEIGHT - tall(before[i] ?? 0)}
              height={tall(before[i] ?? 0)}
            />
          )}
        </g>
      ))}
    </svg>
  );
}

/** Something, however little, is seen. */
function tall(share: number): number {
  return share > 0 ? Math.max(1.5, share * (HEIGHT - 2)) : 0;
}

function Scale({ axis }: { axis: Axis }) {
  const edges = Array.from({ length: axis.to - axis.from + 1 }, (_, i) => axis.from + i);
  return (
    <span className="trace-scale">
      {edges.map((bucket, i) => (
        <span key={bucket}>{i % LABEL_EVERY === 0 ? duration(lowerEdge(bucket)) : ""}</span>
      ))}
    </span>
  );
}
