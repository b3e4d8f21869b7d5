// Traces on demand: how long packets take in each stage, the way of the next few packets, or, in a kernel of one's own, call graphs
// of its functions. Loaded when it is first shown; the host does the work, only while somebody looks, this pane draws what it tells.

import "./trace.css";
import { useEffect, useState, useSyncExternalStore } from "react";
import type { TraceMode, TraceSeen } from "../../api/types";
import { useCommands } from "../commands";
import { useLabSession, useSession } from "../context";
import { Functions } from "./Functions";
import { Histograms } from "./Histograms";
import { HELP } from "./help";
import { FIRST, isName } from "./presets";
import { TraceBar, type Wish } from "./TraceBar";
import { Ways } from "./Ways";

const PACKETS = 5;
const CALLS = 20;
const DEPTH = 16;
/** A trace that is accepted is told at once; so long, then it was another's turn. */
const STARTS_WITHIN_MS = 15_000;

interface TracePaneProps {
  /** A trace that the palette asks for. */
  begin: TraceMode | null;
  onBegun: () => void;
}

export default function TracePane({ begin, onBegun }: TracePaneProps) {
  const session = useLabSession();
  const nodes = useSession((s) => s.page.lab.nodes).map((node) => node.name);
  const isRunning = useSession((s) => s.view?.run.state === "running");
  const ownKernel = useSession((s) => (s.view?.run.runtime ?? s.page.runtime) === "vm");
  const failures = useSession((s) => s.view?.failures);
  const trace = useSyncExternalStore(session.trace.subscribe, session.trace.get);
  const [chosen, choose] = useState<Partial<Wish>>({});
  const [asked, setAsked] = useState<string | null>(null);
  const wish: Wish = {
    mode: trace?.mode ?? "latency",
    node: trace?.node ?? "",
    protocol: trace?.protocol ?? "any",
    function: trace?.function || FIRST,
    depth: trace?.depth || DEPTH,
    calls: trace?.calls_wanted || CALLS,
    ...chosen,
  };
  const refusal = asked ? failures?.[asked] : undefined;
  const isStarting = asked !== null && !refusal && trace?.id !== asked;

  useEffect(() => {
    if (!isStarting) return;
    const timer = window.setTimeout(() => setAsked(null), STARTS_WITHIN_MS);
    return () => window.clearTimeout(timer);
  }, [isStarting]);

  const start = async (more: Partial<Wish> = {}) => {
    const wanted = { ...wish, ...more };
    const { mode, node, protocol, depth, calls } = wanted;
    choose(wanted);
    if (mode === "functions" && !ownKernel) return;
    session.trace.unmark();
    const one = mode === "way";
    setAsked(
      await session.startTrace({
        mode,
        node: one && node ? node : null,
        protocol: one ? protocol : "any",
        packets: PACKETS,
        function: isName(wanted.function) ? wanted.function : FIRST,
        depth,
        calls,
      }),
    );
  };
  const stop = () => trace && void session.stopTrace(trace.id);
  const shown = trace && trace.mode === wish.mode ? trace : null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each time that it is asked
  useEffect(() => {
    if (!begin) return;
    void start({ mode: begin });
    onBegun();
  }, [begin]);
  useCommands("trace", [
    ...(trace?.running ? [{ id: "trace.stop", title: "Stop the trace", group: "Counters" as const, run: stop }] : []),
    {
      id: "trace.help",
      title: "Help: traces",
      group: "Counters",
      run: () => void window.open(HELP, "_blank", "noreferrer"),
    },
    ...(shown?.mode === "latency" && shown.cells.length > 0
      ? [
          {
            id: "trace.mark",
            title: "Trace: compare from here on",
            group: "Counters" as const,
            run: session.trace.mark,
          },
        ]
      : []),
  ]);

  return (
    <section className="trace-pane" aria-label="Trace">
      <TraceBar
        wish={wish}
        onWish={choose}
        nodes={nodes}
        trace={trace ?? null}
        ownKernel={ownKernel}
        off={offWords(isRunning, wish, ownKernel)}
        starting={isStarting}
        marked={session.trace.marked !== null}
        onMark={session.trace.marked ? session.trace.unmark : session.trace.mark}
        onStart={() => void start()}
        onStop={stop}
      />
      {refusal && (
        <p className="trace-wrong small" role="alert">
          {refusal.message} {refusal.hint}
        </p>
      )}
      {trace === undefined ? (
        <p className="pane-empty">Looking for a trace …</p>
      ) : (
        <Shown
          trace={shown}
          mode={wish.mode}
          nodes={nodes}
          ownKernel={ownKernel}
          onFollow={isRunning ? () => void start({ mode: "way" }) : null}
        />
      )}
    </section>
  );
}

/** Why no trace can be started now; "" when one can. */
function offWords(isRunning: boolean, wish: Wish, ownKernel: boolean): string {
  if (!isRunning) return "The lab does not run";
  if (wish.mode !== "functions") return "";
  if (!ownKernel) return "This lab has no kernel of its own";
  return isName(wish.function) ? "" : "Choose a function first";
}

interface ShownProps {
  trace: TraceSeen | null;
  mode: TraceMode;
  nodes: readonly string[];
  ownKernel: boolean;
  /** Null: the lab does not run. */
  onFollow: (() => void) | null;
}

function Shown({ trace, mode, nodes, ownKernel, onFollow }: ShownProps) {
  const session = useLabSession();
  if (mode === "functions" && !ownKernel)
    return (
      <div className="pane-empty">
        <p>
          Functions are the whole kernel's, and this lab shares its kernel with others: they can be followed in a lab
          with a kernel of its own (a VM), which an instructor chooses for a workshop, or a lab for itself.
        </p>
        {onFollow && (
          <button type="button" onClick={onFollow}>
            Follow a packet's way instead
          </button>
        )}
      </div>
    );
  if (trace?.problem)
    return (
      <div className="trace-scroll" role="alert">
        <p className="trace-wrong small">
          This trace could not be made.{" "}
          {mode === "functions" ? "What stands against it:" : "What the compiler or the kernel says:"}
        </p>
        <pre className="trace-problem">{trace.problem}</pre>
      </div>
    );
  if (trace?.mode === "latency" && trace.cells.length > 0)
    return <Histograms cells={trace.cells} mark={session.trace.marked} nodes={nodes} />;
  if (trace?.mode === "way" && trace.packets.length > 0) return <Ways packets={trace.packets} nodes={nodes} />;
  if (trace?.mode === "functions" && trace.calls.length > 0) return <Functions key={trace.id} trace={trace} />;
  return <p className="pane-empty">{emptyWords(trace, mode)}</p>;
}

function emptyWords(trace: TraceSeen | null, mode: TraceMode): string {
  if (trace?.mode === "functions" && trace.running)
    return trace.ready
      ? `${trace.function} has not been called yet. Send something: \`ping\`, \`curl\`, \`iperf3\`.`
      : "ftrace is being set up …";
  if (trace?.running && !trace.ready) return "bcc compiles the trace …";
  if (trace?.running) return "No packet yet. Send some: `ping`, `curl`, `iperf3`.";
  if (mode === "latency")
    return "How long packets take at each node: in the queue, on the wire, in the stack. Nothing is measured until you start.";
  if (mode === "functions")
    return "What the next calls of a function call in their turn, with the time of each. Nothing is traced until you start.";
  return "The way of the next packets, step by step, to the program that reads them or the place that drops them.";
}
