// The three columns with their splitters, and the panes of a column one below the other. A drag redraws these two alone: what
// is in the panes comes as the same elements each time.

import { Fragment, type ReactNode } from "react";
import { borderValue, COLUMNS, type Column, canFold, IN_COLUMN, moveBorder, neighbours, type Pane } from "./layout";
import { isFolded, isThin, useLayout, useLayoutStore } from "./layout_store";
import { Splitter } from "./Splitter";

const COLUMN_LABELS = ["Width of the instructions", "Width of topology and counters"];

export function Columns({ children }: { children: Record<Column, ReactNode> }) {
  const store = useLayoutStore();
  const state = useLayout((s) => s);
  const { layout } = state;
  const open = COLUMNS.filter((column) => !isThin(state, column));
  return (
    <div className="columns-place">
      <main className="columns">
        {COLUMNS.map((column, index) => {
          const border = neighbours(COLUMNS, open, index);
          const outer: Column = index === 0 ? "read" : "watch";
          return (
            <Fragment key={column}>
              <div
                id={`column-${column}`}
                data-column={column}
                className={isThin(state, column) ? "column thin" : "column"}
                style={{ "--share": layout.columns[column] } as React.CSSProperties}
              >
                {children[column]}
              </div>
              {index < COLUMNS.length - 1 && (
                <Splitter
                  kind="column"
                  label={COLUMN_LABELS[index] as string}
                  value={border ? borderValue(layout.columns, border) : 0}
                  controls={`column-${outer}`}
                  inert={state.maximised !== null}
                  movable={border !== null}
                  onMove={(delta) =>
                    border &&
                    store.change({
                      ...store.get().layout,
                      columns: moveBorder(store.get().layout.columns, open, border, delta),
                    })
                  }
                  onFold={() => store.toggleColumn(outer)}
                />
              )}
            </Fragment>
          );
        })}
      </main>
    </div>
  );
}

/** The splitter between the two panes of a column; not there while one of them is a bar. */
export function PaneBorder({ column, label, folds }: { column: Column; label: string; folds: Pane }) {
  const store = useLayoutStore();
  const state = useLayout((s) => s);
  const panes = IN_COLUMN[column].filter((pane) => state.present.includes(pane));
  const open = panes.filter((pane) => !isFolded(state, pane));
  const border = neighbours(panes, open, 0);
  if (!border || state.narrow) return null;
  return (
    <Splitter
      kind="row"
      label={label}
      value={borderValue(state.layout.panes, border)}
      controls={`pane-${folds}`}
      inert={state.maximised !== null}
      movable
      onMove={(delta) =>
        store.change({ ...store.get().layout, panes: moveBorder(store.get().layout.panes, open, border, delta) })
      }
      onFold={() => canFold(state.layout, state.present, folds) && store.toggleFold(folds)}
    />
  );
}
