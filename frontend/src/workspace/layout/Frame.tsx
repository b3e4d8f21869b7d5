// The frame of one pane: its place in the column, its two buttons in the corner (fold, fill the window), the thin bar that it
// becomes when it is folded. What is in it stays where it is in the document, so that no terminal is ever made anew.

import type { ReactNode } from "react";
import { Icon } from "../../ui/Icon";
import { PANE_NAMES, type Pane } from "./layout";
import { isFolded, useLayout, useLayoutStore } from "./layout_store";

export const MAXIMISE_KEYS = "Ctrl+Shift+Enter";

export function Frame({ pane, name = PANE_NAMES[pane], children }: { pane: Pane; name?: string; children: ReactNode }) {
  const store = useLayoutStore();
  const folded = useLayout((s) => isFolded(s, pane));
  const maximised = useLayout((s) => s.maximised === pane);
  const hidden = useLayout((s) => s.maximised !== null && s.maximised !== pane);
  const share = useLayout((s) => s.layout.panes[pane]);
  const classes = ["frame", folded && "folded", maximised && "maximised"].filter(Boolean).join(" ");
  const bodyId = `pane-${pane}-body`;
  return (
    <section
      id={`pane-${pane}`}
      className={classes}
      data-pane={pane}
      aria-label={name}
      tabIndex={-1}
      inert={hidden}
      style={{ "--share": share } as React.CSSProperties}
    >
      {folded ? (
        <button
          type="button"
          className="frame-bar"
          aria-expanded={false}
          aria-controls={bodyId}
          title={`Open: ${name}`}
          onClick={() => {
            store.toggleFold(pane);
            focusPane(pane);
          }}
        >
          <Icon name="unfold" />
          <span>{name}</span>
        </button>
      ) : (
        <Corner pane={pane} name={name} bodyId={bodyId} maximised={maximised} />
      )}
      <div id={bodyId} className="frame-body" hidden={folded}>
        {children}
      </div>
    </section>
  );
}

function Corner(props: { pane: Pane; name: string; bodyId: string; maximised: boolean }) {
  const { pane, name, maximised } = props;
  const store = useLayoutStore();
  return (
    <div className="frame-corner">
      {!maximised && (
        <button
          type="button"
          className="quiet icon fold-button"
          aria-expanded
          aria-controls={props.bodyId}
          aria-label={`Fold: ${name}`}
          title="Fold to a bar"
          onClick={() => {
            store.toggleFold(pane);
            requestAnimationFrame(() => document.querySelector<HTMLElement>(`#pane-${pane} > .frame-bar`)?.focus());
          }}
        >
          <Icon name="fold" />
        </button>
      )}
      <button
        type="button"
        className="quiet icon"
        aria-pressed={maximised}
        aria-label={`Fill the window: ${name}`}
        title={
          maximised
            ? `Back to all panes (Esc; from a terminal or the editor ${MAXIMISE_KEYS})`
            : `Fill the window (${MAXIMISE_KEYS})`
        }
        onClick={() => store.maximise(maximised ? null : pane)}
      >
        <Icon name={maximised ? "restore" : "maximise"} />
      </button>
    </div>
  );
}

/** On the next drawing, when what was folded is there again. */
export function focusPane(pane: Pane): void {
  requestAnimationFrame(() => document.getElementById(`pane-${pane}`)?.focus());
}
