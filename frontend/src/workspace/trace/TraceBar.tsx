// What is traced: mode, whose packets, which protocol; start, stop, compare; one line about the trace there is.

import type { TraceMode, TraceProtocol, TraceSeen } from "../../api/types";
import { FunctionWish } from "./FunctionWish";
import { HELP } from "./help";
import { PROTOCOLS, stateWords } from "./trace_words";

export interface Wish {
  mode: TraceMode;
  /** "": any. */
  node: string;
  protocol: TraceProtocol;
  /** Where call graphs start, how deep, how many. */
  function: string;
  depth: number;
  calls: number;
}

interface TraceBarProps {
  wish: Wish;
  onWish: (wish: Wish) => void;
  /** The run has its own. */
  ownKernel: boolean;
  nodes: readonly string[];
  trace: TraceSeen | null;
  /** Why none can be started now; "" when one can. */
  off: string;
  starting: boolean;
  marked: boolean;
  onMark: () => void;
  onStart: () => void;
  onStop: () => void;
}

export function TraceBar(props: TraceBarProps) {
  const { wish, onWish, ownKernel, nodes, trace, off, starting, marked, onMark, onStart, onStop } = props;
  return (
    <div className="trace-bar">
      <select
        aria-label="What to trace"
        value={wish.mode}
        onChange={(event) => onWish({ ...wish, mode: event.target.value as TraceMode })}
      >
        <option value="latency">Latency by stage</option>
        <option value="way">The next packets' way</option>
        <option value="functions">The kernel's functions</option>
      </select>
      {wish.mode === "way" && (
        <>
          <select
            aria-label="Packets first seen at"
            value={wish.node}
            onChange={(event) => onWish({ ...wish, node: event.target.value })}
          >
            <option value="">from any node</option>
            {nodes.map((node) => (
              <option key={node} value={node}>
                from {node}
              </option>
            ))}
          </select>
          <select
            aria-label="Protocol"
            value={wish.protocol}
            onChange={(event) => onWish({ ...wish, protocol: event.target.value as TraceProtocol })}
          >
            {(Object.keys(PROTOCOLS) as TraceProtocol[]).map((protocol) => (
              <option key={protocol} value={protocol}>
                {PROTOCOLS[protocol]}
              </option>
            ))}
          </select>
        </>
      )}
      {wish.mode === "functions" && ownKernel && (
        <FunctionWish wish={wish} onWish={(more) => onWish({ ...wish, ...more })} />
      )}
      {trace?.running ? (
        <button type="button" className="trace-stop" onClick={onStop}>
          ■ Stop
        </button>
      ) : (
        <button
          type="button"
          className="primary"
          disabled={starting || off !== ""}
          title={off || `Ends by itself after ${wish.mode === "functions" ? 2 : 10} minutes, or when nobody looks`}
          onClick={onStart}
        >
          {starting ? "Starting …" : "Start"}
        </button>
      )}
      {wish.mode === "latency" && trace?.mode === "latency" && trace.cells.length > 0 && (
        <button
          type="button"
          className="quiet"
          aria-pressed={marked}
          title="What has come until now becomes an outline; what comes from now on is drawn over it"
          onClick={onMark}
        >
          {marked ? "Do not compare" : "Compare from here"}
        </button>
      )}
      <span className="trace-state small" role="status">
        {trace ? stateWords(trace) : ""}
      </span>
      <a
        className="small"
        href={HELP}
        target="_blank"
        rel="noreferrer"
        title="What traces show, and how exactly (a new tab)"
      >
        Help
      </a>
    </div>
  );
}
