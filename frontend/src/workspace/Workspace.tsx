// The three columns of the lab page. Terminals, editor and charts are chunks of their own, loaded after the first paint
// and only once there is a run to show.

import { lazy, type ReactNode, Suspense } from "react";
import { Panel, PanelGroup, PanelResizeHandle } from "react-resizable-panels";
import { isEnded } from "../live/run_reducer";
import { useSession } from "./context";
import { Instructions } from "./instructions/Instructions";
import { Notices } from "./progress/Notices";
import { StartPanel } from "./progress/StartPanel";
import { TopBar } from "./progress/TopBar";
import { Topology } from "./topology/Topology";

const EditorPane = lazy(() => import("./editor/EditorPane"));
const TerminalPane = lazy(() => import("./terminal/TerminalPane"));
const CountersPane = lazy(() => import("./counters/CountersPane"));

function Splitter({ label, vertical }: { label: string; vertical?: boolean }) {
  return <PanelResizeHandle className={vertical ? "splitter row" : "splitter column"} aria-label={label} />;
}

function Loading({ what, children }: { what: string; children: ReactNode }) {
  return <Suspense fallback={<p className="pane-empty">Loading {what} …</p>}>{children}</Suspense>;
}

const PANES = { instructions: "Read", work: "Do", watch: "Watch" };

/** On a narrow screen the columns lie side by side, each as wide as the screen: swiped, or chosen here. */
function PaneSwitch() {
  const show = (pane: string) => document.querySelector(`[data-panel-id=${pane}]`)?.scrollIntoView({ inline: "start" });
  return (
    <nav className="pane-switch" aria-label="Columns">
      {Object.entries(PANES).map(([pane, words]) => (
        <button type="button" key={pane} onClick={() => show(pane)}>
          {words}
        </button>
      ))}
    </nav>
  );
}

export function Workspace() {
  const lab = useSession((s) => s.page.lab.id);
  const state = useSession((s) => s.view?.run.state ?? null);
  const runId = useSession((s) => s.view?.run.id ?? "");
  const spoken = useSession((s) => s.view?.spoken ?? "");
  const there = state === "running" || state === "resetting" || state === "paused" || state === "stopping";
  const save = `netlab.${lab}`;

  return (
    <div className="workspace">
      <TopBar />
      <PanelGroup direction="horizontal" autoSaveId={`${save}.columns`} className="columns" tagName="main">
        <Panel id="instructions" order={1} defaultSize={27} minSize={16} tagName="section" aria-label="Instructions">
          <Instructions />
        </Panel>
        <Splitter label="Width of the instructions" />
        <Panel id="work" order={2} defaultSize={45} minSize={25} tagName="section" aria-label="Editor and terminals">
          {there ? (
            <PanelGroup direction="vertical" autoSaveId={`${save}.work`} key={runId}>
              <Panel id="editor" order={1} defaultSize={56} minSize={15} tagName="section" aria-label="Editor">
                <Loading what="the editor">
                  <EditorPane />
                </Loading>
              </Panel>
              <Splitter vertical label="Height of the editor" />
              <Panel id="terminals" order={2} defaultSize={44} minSize={12} tagName="section" aria-label="Terminals">
                <Loading what="the terminals">
                  <TerminalPane />
                </Loading>
              </Panel>
            </PanelGroup>
          ) : (
            <StartPanel />
          )}
        </Panel>
        <Splitter label="Width of topology and counters" />
        <Panel id="watch" order={3} defaultSize={28} minSize={16} tagName="section" aria-label="Topology and counters">
          <PanelGroup direction="vertical" autoSaveId={`${save}.watch`}>
            <Panel id="topology" order={1} defaultSize={40} minSize={15} tagName="section" aria-label="Topology">
              <Topology />
            </Panel>
            <Splitter vertical label="Height of the topology" />
            <Panel id="counters" order={2} defaultSize={60} minSize={15} tagName="section" aria-label="Counters">
              {state && state !== "queued" && !isEnded(state) ? (
                <Loading what="the counters">
                  <CountersPane />
                </Loading>
              ) : (
                <p className="pane-empty">Counters appear here once the lab runs.</p>
              )}
            </Panel>
          </PanelGroup>
        </Panel>
      </PanelGroup>
      <PaneSwitch />
      <Notices />
      <div role="status" className="visually-hidden">
        {spoken}
      </div>
    </div>
  );
}
