// One terminal's screen with what lies over it: the note about its connection, the search, the question before a paste.

import { useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import type { Terminal } from "../../api/types";
import type { ConnectionState } from "../../live/socket";
import { ConfirmDialog } from "../../ui/Dialog";
import { type Matches, SearchBar } from "./SearchBar";
import type { Side } from "./split";
import type { TerminalKey } from "./terminal_keys";
import { TerminalView } from "./terminal_view";

const NONE_FOUND: Matches = { index: -1, count: 0 };

export interface TerminalScreenProps {
  run: string;
  terminal: Terminal;
  title: string;
  side: Side;
  visible: boolean;
  /** What is behind it does not run: it can be read and copied, nothing more. */
  frozen: boolean;
  searching: boolean;
  onSearchEnd: () => void;
  views: Map<string, TerminalView>;
  onFocus: (id: string) => void;
  onKey: (key: TerminalKey, id: string) => void;
}

export function TerminalScreen(props: TerminalScreenProps) {
  const { run, terminal, title, side, visible, frozen, searching, views, onFocus, onKey } = props;
  const element = useRef<HTMLDivElement>(null);
  const [connection, setConnection] = useState<ConnectionState>("connecting");
  const [closed, setClosed] = useState("");
  const [asked, setAsked] = useState<{ text: string; lines: number } | null>(null);
  const [matches, setMatches] = useState(NONE_FOUND);
  const [view, setView] = useState<TerminalView | null>(null);
  const { id } = terminal;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new title must not end the terminal
  useEffect(() => {
    if (!element.current) return;
    const made = new TerminalView(element.current, run, id, `Terminal ${title}`, {
      onConnection: setConnection,
      onClosed: setClosed,
      onFocus: () => onFocus(id),
      onKey: (key) => onKey(key, id),
      onRiskyPaste: (text, lines) => setAsked({ text, lines }),
      onMatches: (index, count) => setMatches({ index, count }),
    });
    views.set(id, made);
    setView(made);
    return () => {
      views.delete(id);
      made.dispose();
      setView(null);
    };
  }, [run, id, views, onFocus, onKey]);

  useEffect(() => view?.shown(visible), [visible, view]);
  useEffect(() => view?.freeze(frozen), [frozen, view]);

  const away = connection === "reconnecting" ? "Reconnecting … what you type is kept" : "";
  const note = closed || (connection === "ended" ? "This terminal has ended." : away);
  return (
    <div
      className={`terminal-tab side-${side}${visible ? "" : " hidden"}`}
      role="tabpanel"
      id={`panel-${id}`}
      aria-labelledby={`tab-${id}`}
      data-terminal={id}
      data-node={terminal.node}
    >
      <div className={frozen ? "xterm-box frozen" : "xterm-box"} ref={element} />
      {searching && view && (
        <SearchBar
          view={view}
          matches={matches}
          label={`Search in terminal ${title}`}
          onClose={() => {
            props.onSearchEnd();
            view.focus();
          }}
        />
      )}
      {note && <div className="terminal-note">{note}</div>}
      {asked && (
        <ConfirmDialog
          title={asked.lines === 1 ? "Paste and run a line?" : `Paste and run ${asked.lines} lines?`}
          text={`What runs in ${title} just now takes each end of a line as Enter.`}
          action="Paste"
          onConfirm={() => view?.paste(asked.text)}
          onClose={() => {
            flushSync(() => setAsked(null)); // nothing outside it can have the focus while it is there
            view?.focus();
          }}
        />
      )}
    </div>
  );
}
