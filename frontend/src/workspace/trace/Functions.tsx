// Call graphs that a trace has brought so far: each call by itself, or all added up under an icicle. What is told again and
// again is only put together again when calls have come.

import { useMemo, useState } from "react";
import type { TraceSeen } from "../../api/types";
import { save } from "../counters/export";
import { asText, summed, treeOf } from "./call_graph";
import { GraphTree, type Root } from "./GraphTree";
import { Icicle } from "./Icicle";
import { callWords, duration } from "./trace_words";

type View = "calls" | "sum";
const SUM = "sum";
const EMULATED =
  "This machine's processor is emulated: times are true on it, and many times longer than on a real one.";

export function Functions({ trace }: { trace: TraceSeen }) {
  const [view, setView] = useState<View>("calls");
  const [chosen, choose] = useState<string | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: of one trace, calls only come behind others
  const { calls, sum } = useMemo(
    () => ({
      calls: trace.calls.map(
        (call): Root => ({ id: `${call.number}`, node: treeOf(call, trace.functions), about: callWords(call) }),
      ),
      sum: summed(trace.calls, trace.functions),
    }),
    [trace.id, trace.calls.length],
  );
  const note = trace.emulated ? EMULATED : "";
  const total = trace.calls.reduce((all, call) => all + call.took_ns, 0);
  return (
    <section className="graphs" aria-label="Call graphs">
      <div className="graph-bar small">
        <fieldset className="graph-views">
          <legend className="visually-hidden">What is shown</legend>
          <ViewButton view="calls" now={view} onPress={setView} words={`Each call (${trace.calls.length})`} />
          <ViewButton view="sum" now={view} onPress={setView} words="Added up" />
        </fieldset>
        <span className="muted">
          {duration(total)} in all{trace.lost > 0 && `, ${trace.lost}× too much came at once: whole calls are missing`}
        </span>
        <span className="spacer" />
        <button
          type="button"
          className="quiet"
          title="As ftrace prints function graphs"
          onClick={() => save(`${trace.function}.txt`, new Blob([asText(trace)], { type: "text/plain" }))}
        >
          Save as text
        </button>
      </div>
      {view === "calls" ? (
        <GraphTree key="calls" roots={calls} label="Calls" sum={false} chosen={chosen} onChoose={choose} note={note} />
      ) : (
        sum && (
          <>
            <Icicle
              root={sum}
              chosen={chosen?.startsWith(`${SUM}/`) ? chosen.slice(SUM.length + 1) : null}
              onChoose={(key) => choose(`${SUM}/${key}`)}
            />
            <GraphTree
              key="sum"
              roots={[{ id: SUM, node: sum, about: "" }]}
              label="All calls added up"
              sum
              chosen={chosen}
              onChoose={choose}
              note={note}
            />
          </>
        )
      )}
    </section>
  );
}

function ViewButton({
  view,
  now,
  words,
  onPress,
}: {
  view: View;
  now: View;
  words: string;
  onPress: (view: View) => void;
}) {
  return (
    <button type="button" className="quiet" aria-pressed={view === now} onClick={() => onPress(view)}>
      {words}
    </button>
  );
}
