// The terminals of the lab as tabs. All of them stay connected; one is shown.

import "./terminal.css";
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import type { Terminal } from "../../api/types";
import type { ConnectionState } from "../../live/socket";
import { Menu } from "../../ui/Menu";
import { useLabSession, useSession } from "../context";
import type { Signal } from "../signals";
import { TerminalView } from "./terminal_view";

const NONE: Terminal[] = [];

export default function TerminalPane() {
  const session = useLabSession();
  const runId = useSession((s) => s.view?.run.id ?? "");
  const open = useSession((s) => s.view?.run.terminals ?? NONE);
  const nodes = useSession((s) => s.page.lab.nodes);
  const running = useSession((s) => s.view?.run.state === "running");
  const [chosen, setChosen] = useState("");
  const views = useRef(new Map<string, TerminalView>());
  const current = open.find((t) => t.id === chosen) ?? open[0];
  const titles = tabTitles(open);

  const openOn = useCallback(
    async (node: string) => {
      const id = await session.openTerminal(node);
      if (id) {
        setChosen(id);
        requestAnimationFrame(() => views.current.get(id)?.focus());
      }
      return id;
    },
    [session],
  );

  /** The shown terminal of the node, else its first, else a new one. */
  const reach = useCallback(
    async (node: string): Promise<TerminalView | undefined> => {
      const all = session.run?.terminals ?? NONE;
      const mine = all.filter((t) => t.node === node);
      const id = mine.find((t) => t.id === current?.id)?.id ?? mine[0]?.id ?? (await openOn(node));
      if (!id) return undefined;
      setChosen(id);
      await new Promise(requestAnimationFrame);
      return views.current.get(id);
    },
    [session, current?.id, openOn],
  );

  useEffect(() => {
    const receive = async (signal: Signal) => {
      if (signal.to !== "terminals") return;
      const view = await reach(signal.node);
      if (signal.do === "focus") view?.focus();
      else if (view && !view.type(signal.text)) {
        await navigator.clipboard?.writeText(signal.text).catch(() => undefined);
        session.tell(
          `The terminal of ${signal.node} takes one line at a time just now.`,
          "The block was copied instead: paste it where it belongs.",
        );
      }
    };
    return session.signals.receive("terminals", (signal) => void receive(signal));
  }, [session, reach]);

  const leave = useCallback(
    () => document.querySelector<HTMLElement>(".terminal-tabs [aria-selected=true]")?.focus(),
    [],
  );
  const onTabKey = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !current) return;
    const next = open[(open.indexOf(current) + step + open.length) % open.length];
    if (!next) return;
    setChosen(next.id);
    requestAnimationFrame(leave);
  };

  return (
    <div className="pane terminals">
      <div className="pane-bar">
        <div className="tabs terminal-tabs" role="tablist" aria-label="Terminals" onKeyDown={onTabKey}>
          {open.map((terminal) => (
            <span className="tab" key={terminal.id} role="presentation">
              <button
                type="button"
                role="tab"
                id={`tab-${terminal.id}`}
                aria-selected={terminal === current}
                aria-controls={`panel-${terminal.id}`}
                aria-description="Enter to type in it, Control Shift Up to come back"
                tabIndex={terminal === current ? 0 : -1}
                onClick={() => {
                  flushSync(() => setChosen(terminal.id)); // what is typed right after must not be lost
                  views.current.get(terminal.id)?.focus();
                }}
              >
                {titles.get(terminal.id)}
              </button>
            </span>
          ))}
        </div>
        <Menu
          label="+"
          title="Open another terminal"
          className="quiet icon"
          disabled={!running}
          items={nodes.map((node) => ({ label: node.name, onSelect: () => void openOn(node.name) }))}
        />
        <span className="spacer" />
        <span className="muted small key-help">
          <kbd>Enter</kbd> types, <kbd>Ctrl</kbd>+<kbd>Shift</kbd>+<kbd>↑</kbd> leaves
        </span>
        {current && (
          <button
            type="button"
            className="quiet icon"
            aria-label={`Close terminal ${titles.get(current.id)}`}
            title={`Close ${titles.get(current.id)}: its shell ends`}
            onClick={() => session.closeTerminal(current.id)}
          >
            ✕
          </button>
        )}
      </div>
      <div className="terminal-stack">
        {open.length === 0 && <p className="pane-empty">No terminal is open. Open one with +.</p>}
        {open.map((terminal) => (
          <TerminalTab
            key={terminal.id}
            run={runId}
            terminal={terminal}
            label={`Terminal ${titles.get(terminal.id)}`}
            visible={terminal === current}
            views={views.current}
            onLeave={leave}
          />
        ))}
      </div>
    </div>
  );
}

function tabTitles(terminals: readonly Terminal[]): Map<string, string> {
  const seen = new Map<string, number>();
  return new Map(
    terminals.map((t) => {
      const title = t.title.toLowerCase() === t.node ? t.node : t.title || t.node; // a node's own title says no more
      const number = (seen.get(title) ?? 0) + 1;
      seen.set(title, number);
      return [t.id, number === 1 ? title : `${title} ${number}`];
    }),
  );
}

interface TerminalTabProps {
  run: string;
  terminal: Terminal;
  label: string;
  visible: boolean;
  views: Map<string, TerminalView>;
  onLeave: () => void;
}

function TerminalTab({ run, terminal, label, visible, views, onLeave }: TerminalTabProps) {
  const element = useRef<HTMLDivElement>(null);
  const [connection, setConnection] = useState<ConnectionState>("connecting");
  const [closed, setClosed] = useState("");
  const { id } = terminal;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new label must not end the terminal
  useEffect(() => {
    if (!element.current) return;
    const view = new TerminalView(element.current, run, id, label, {
      onConnection: setConnection,
      onClosed: setClosed,
      onLeave,
    });
    views.set(id, view);
    return () => {
      views.delete(id);
      view.dispose();
    };
  }, [run, id, views, onLeave]);

  useEffect(() => views.get(id)?.shown(visible), [visible, id, views]);

  const note =
    closed ||
    (connection === "ended" ? "This terminal has ended." : connection === "reconnecting" ? "Reconnecting …" : "");
  return (
    <div
      className={visible ? "terminal-tab" : "terminal-tab hidden"}
      role="tabpanel"
      id={`panel-${id}`}
      aria-labelledby={`tab-${id}`}
      data-terminal={id}
      data-node={terminal.node}
    >
      <div className="xterm-box" ref={element} />
      {note && <div className="terminal-note">{note}</div>}
    </div>
  );
}
