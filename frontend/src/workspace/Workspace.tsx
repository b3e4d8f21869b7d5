// The lab page: its bar, its three columns, its panes. Terminals, editor and charts are chunks of their own, loaded after the
// first paint and only once there is a run to show.

import { lazy, type ReactNode, Suspense, useEffect, useMemo } from "react";
import type { RunStateName } from "../api/types";
import { isEnded } from "../live/run_reducer";
import { useLabSession, useSession } from "./context";
import { Instructions } from "./instructions/Instructions";
import { ColumnSwitch } from "./layout/ColumnSwitch";
import { Columns, PaneBorder } from "./layout/Columns";
import { Frame } from "./layout/Frame";
import { useFrameKeys } from "./layout/frame_keys";
import type { Pane } from "./layout/layout";
import { LayoutContext, LayoutStore, useLayout } from "./layout/layout_store";
import { SkipLinks } from "./layout/SkipLinks";
import { useFrameCommands } from "./layout/use_frame_commands";
import { PaletteHost } from "./palette/PaletteHost";
import { Notices } from "./progress/Notices";
import { RunBanner } from "./progress/RunBanner";
import { StartPanel } from "./progress/StartPanel";
import { TopBar } from "./progress/TopBar";
import { Topology } from "./topology/Topology";

const EditorPane = lazy(() => import("./editor/EditorPane"));
const TerminalPane = lazy(() => import("./terminal/TerminalPane"));
const WatchPane = lazy(() => import("./watch/WatchPane"));

/** Something is there to work in, or was and comes back. */
const WITH_NODES: ReadonlySet<RunStateName> = new Set(["running", "resetting", "paused", "broken", "stopping"]);

export function Workspace() {
  const session = useLabSession();
  const lab = useSession((s) => s.page.lab.id);
  const state = useSession((s) => s.view?.run.state ?? null);
  const hasFiles = useSession((s) => s.page.lab.programs.length > 0 || (s.view?.run.files.length ?? 0) > 0);
  const there = state !== null && WITH_NODES.has(state);
  const store = useMemo(() => new LayoutStore(lab), [lab]);
  useFrameKeys(store);

  useEffect(() => {
    const work: Pane[] = hasFiles ? ["editor", "terminals"] : ["terminals"];
    store.has(["instructions", ...(there ? work : []), "topology", "counters"]);
  }, [store, there, hasFiles]);

  // what is asked of a pane that is folded or out of sight happens where it can be seen
  useEffect(
    () =>
      session.signals.watch((signal) => {
        if (signal.to !== "topology") store.reveal(signal.to);
      }),
    [session, store],
  );

  return (
    <LayoutContext value={store}>
      <PaletteHost>
        <Page state={state} there={there} hasFiles={hasFiles} />
      </PaletteHost>
    </LayoutContext>
  );
}

function Page({ state, there, hasFiles }: { state: RunStateName | null; there: boolean; hasFiles: boolean }) {
  const hasSwitches = useSession((s) => s.page.lab.switches.length > 0);
  const runId = useSession((s) => s.view?.run.id ?? "");
  const spoken = useSession((s) => s.view?.spoken ?? "");
  useFrameCommands();
  return (
    <div className="workspace">
      <SkipLinks />
      <TopBar />
      {there && <RunBanner />}
      <Columns>
        {{
          read: (
            <Frame pane="instructions">
              <Instructions />
            </Frame>
          ),
          work: there ? <WorkPanes key={runId} hasFiles={hasFiles} /> : <StartFrame />,
          watch: (
            <>
              <Frame pane="topology">
                <Topology />
              </Frame>
              <PaneBorder column="watch" label="Height of the topology" folds="topology" />
              <Frame pane="counters" name={hasSwitches ? "Switch and counters" : "Counters"}>
                {state && state !== "queued" && !isEnded(state) ? (
                  <Loading what="the counters">
                    <WatchPane />
                  </Loading>
                ) : (
                  <div className="pane">
                    <div className="pane-bar">
                      <h2>{hasSwitches ? "Switch and counters" : "Counters"}</h2>
                    </div>
                    <p className="pane-empty">Counters appear here once the lab runs.</p>
                  </div>
                )}
              </Frame>
            </>
          ),
        }}
      </Columns>
      <ColumnSwitch />
      <Notices />
      <div role="status" className="visually-hidden">
        {spoken}
      </div>
    </div>
  );
}

function WorkPanes({ hasFiles }: { hasFiles: boolean }) {
  return (
    <>
      {hasFiles && (
        <>
          <Frame pane="editor">
            <Loading what="the editor">
              <EditorPane />
            </Loading>
          </Frame>
          <PaneBorder column="work" label="Height of the editor" folds="editor" />
        </>
      )}
      <Frame pane="terminals">
        <Loading what="the terminals">
          <TerminalPane />
        </Loading>
      </Frame>
    </>
  );
}

function StartFrame() {
  const hidden = useLayout((s) => s.maximised !== null);
  return (
    <section id="pane-start" className="frame" aria-label="Start" tabIndex={-1} inert={hidden}>
      <StartPanel />
    </section>
  );
}

function Loading({ what, children }: { what: string; children: ReactNode }) {
  return <Suspense fallback={<p className="pane-empty">Loading {what} …</p>}>{children}</Suspense>;
}
