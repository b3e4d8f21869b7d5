// The bar over one side: its terminals as tabs, a new one, and what can be done with the one that is shown. Tabs can be
// dragged to the other side; the menu does the same for the keyboard.

import type { KeyboardEvent } from "react";
import type { Terminal } from "../../api/types";
import { Icon } from "../../ui/Icon";
import { Menu, type MenuItem } from "../../ui/Menu";
import type { Side } from "./split";

export const DRAG_TYPE = "application/x-netlab-terminal";

interface TerminalBarProps {
  side: Side;
  split: boolean;
  /** What is typed goes to this side. */
  active: boolean;
  terminals: readonly { terminal: Terminal; title: string }[];
  shown: string;
  nodes: readonly string[];
  running: boolean;
  actions: MenuItem[];
  /** With `focus` it is typed in at once; otherwise the focus stays on the tab. */
  onShow: (title: string, focus: boolean) => void;
  onOpen: (node: string) => void;
  onClose: (title: string) => void;
  onDrag: (title: string) => void;
  onSearch: () => void;
}

export function TerminalBar(props: TerminalBarProps) {
  const { side, split, terminals, shown } = props;
  const onTabKey = (event: KeyboardEvent<HTMLElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = terminals.findIndex((one) => one.title === shown);
    const next = terminals[(at + (step ?? 0) + terminals.length) % terminals.length];
    if (!step || !next) return;
    props.onShow(next.title, false);
    document.getElementById(`tab-${next.terminal.id}`)?.focus();
  };

  return (
    <div className={`pane-bar terminal-bar side-${side}${props.active ? " active" : ""}`}>
      <div
        className="tabs terminal-tabs"
        role="tablist"
        aria-label={side === 0 ? "Terminals" : "Terminals, second side"}
        onKeyDown={onTabKey}
      >
        {terminals.map(({ terminal, title }) => (
          <span className="tab" key={terminal.id} role="presentation">
            <button
              type="button"
              role="tab"
              id={`tab-${terminal.id}`}
              aria-selected={title === shown}
              aria-controls={`panel-${terminal.id}`}
              aria-description="Enter to type in it, Control Shift Up to come back"
              tabIndex={title === shown ? 0 : -1}
              draggable
              onDragStart={(event) => {
                event.dataTransfer.setData(DRAG_TYPE, title);
                event.dataTransfer.effectAllowed = "move";
                props.onDrag(title);
              }}
              onDragEnd={() => props.onDrag("")}
              onClick={() => props.onShow(title, true)}
              data-terminal-title={title}
            >
              {title}
            </button>
          </span>
        ))}
      </div>
      <Menu
        label="+"
        title={side === 0 ? "Open another terminal" : "Open another terminal on the second side"}
        className="quiet icon"
        disabled={!props.running}
        items={props.nodes.map((node) => ({ label: node, onSelect: () => props.onOpen(node) }))}
      />
      <span className="spacer" />
      {!split && (
        <span className="muted small key-help">
          <kbd>Enter</kbd> types, <kbd>Ctrl</kbd>+<kbd>Shift</kbd>+<kbd>↑</kbd> leaves
        </span>
      )}
      {shown && (
        <>
          <button
            type="button"
            className="quiet icon find"
            aria-label={`Search in terminal ${shown}`}
            title="Search (Ctrl+Shift+F)"
            onClick={props.onSearch}
          >
            <Icon name="search" />
          </button>
          <Menu label="⋯" title={`Terminal ${shown}: more`} className="quiet icon" alignEnd items={props.actions} />
          <button
            type="button"
            className="quiet icon"
            aria-label={`Close terminal ${shown}`}
            title={`Close ${shown}: its shell ends`}
            onClick={() => props.onClose(shown)}
          >
            ✕
          </button>
        </>
      )}
    </div>
  );
}
