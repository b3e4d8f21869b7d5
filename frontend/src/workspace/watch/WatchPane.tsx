// The lower right pane: the lab's switches, its charts, its drops, the maps of its programs, captured packets, traces, the
// link that somebody has picked in the topology, all counters. What is big is loaded when it is first shown.

import "./watch.css";
import { type KeyboardEvent, lazy, type ReactNode, Suspense, useEffect, useState, useSyncExternalStore } from "react";
import type { TraceMode } from "../../api/types";
import { useCommands } from "../commands";
import { useLabSession, useSession } from "../context";
import { captureCommands } from "../packets/capture_commands";
import type { Cable } from "../topology/cables";
import { traceCommands } from "../trace/trace_commands";

const CountersPane = lazy(() => import("../counters/CountersPane"));
const SwitchPane = lazy(() => import("../switches/SwitchPane"));
const MapsPane = lazy(() => import("../maps/MapsPane"));
const PacketsPane = lazy(() => import("../packets/PacketsPane"));
const TracePane = lazy(() => import("../trace/TracePane"));
const LinkPane = lazy(() => import("./LinkPane"));
const DropsPane = lazy(() => import("../drops/DropsPane"));
const CounterTable = lazy(() => import("./CounterTable"));

interface Tab {
  id: string;
  words: string;
  pane: () => ReactNode;
}

export default function WatchPane() {
  const session = useLabSession();
  const switches = useSession((s) => s.page.lab.switches);
  const hasPrograms = useSession((s) => s.page.lab.programs.length > 0 || (s.view?.run.attachments.length ?? 0) > 0);
  const hasMaps = useSyncExternalStore(session.maps.subscribe, () => !!session.maps.get()?.maps.length);
  const lab = useSession((s) => s.page.lab);
  const running = useSession((s) => s.view?.run.state === "running");
  const [cable, setCable] = useState<Cable | null>(null);
  const [capture, setCapture] = useState<readonly string[] | null>(null);
  const [begin, setBegin] = useState<TraceMode | null>(null);
  const [chosen, setChosen] = useState(switches[0] ? `switch-${switches[0].name}` : "charts");
  useEffect(
    () =>
      session.signals.receive("counters", (signal) => {
        if (signal.to !== "counters") return;
        if (signal.do === "capture") {
          setCapture(signal.ends);
          setChosen("packets");
          return;
        }
        setCable(signal.cable);
        setChosen("link");
      }),
    [session],
  );

  const tabs: Tab[] = [
    ...switches.map((sw) => ({
      id: `switch-${sw.name}`,
      words: switches.length > 1 ? `Switch ${sw.name}` : "Switch",
      pane: () => <SwitchPane key={sw.name} sw={sw} />,
    })),
    { id: "charts", words: "Charts", pane: () => <CountersPane /> },
    { id: "drops", words: "Drops", pane: () => <DropsPane /> },
    ...(hasPrograms || hasMaps ? [{ id: "maps", words: "Maps", pane: () => <MapsPane /> }] : []),
    ...(cable
      ? [{ id: "link", words: "Link", pane: () => <LinkPane key={cable.ends.join(" ")} cable={cable} /> }]
      : []),
    { id: "packets", words: "Packets", pane: () => <PacketsPane asked={capture} onTaken={() => setCapture(null)} /> },
    { id: "trace", words: "Trace", pane: () => <TracePane begin={begin} onBegun={() => setBegin(null)} /> },
    { id: "counters", words: "Counters", pane: () => <CounterTable /> },
  ];
  const shown = tabs.find((tab) => tab.id === chosen) ?? tabs[0];
  useCommands("watch", [
    ...tabs.map((tab) => ({
      id: `watch.${tab.id}`,
      title: `Show: ${tab.words}`,
      group: "Counters" as const,
      run: () => setChosen(tab.id),
    })),
    ...traceCommands(running, (mode) => {
      setBegin(mode);
      setChosen("trace");
    }),
    ...captureCommands(lab, running, (ends) => session.signals.send({ to: "counters", do: "capture", ends })),
  ]);

  useEffect(() => {
    document.getElementById(`watch-tab-${chosen}`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [chosen]);

  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = tabs.findIndex((tab) => tab.id === shown?.id);
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (!next) return;
    setChosen(next.id);
    document.getElementById(`watch-tab-${next.id}`)?.focus();
  };
  return (
    <div className="pane">
      <div className="pane-bar">
        <div className="tabs watch-tabs" role="tablist" aria-label="Charts and counters" onKeyDown={onKey}>
          {tabs.map((tab) => (
            <span className="tab" key={tab.id} role="presentation">
              <button
                type="button"
                role="tab"
                id={`watch-tab-${tab.id}`}
                aria-selected={tab === shown}
                aria-controls="watch-panel"
                tabIndex={tab === shown ? 0 : -1}
                onClick={() => setChosen(tab.id)}
              >
                {tab.words}
              </button>
            </span>
          ))}
        </div>
      </div>
      <div className="watch-panel" role="tabpanel" id="watch-panel" aria-labelledby={`watch-tab-${shown?.id}`}>
        <Suspense fallback={<p className="pane-empty">Loading …</p>}>{shown?.pane()}</Suspense>
      </div>
    </div>
  );
}
