// A grid of many rows of which only those in sight are in the page. It follows the newest row until somebody scrolls up, stays
// where it is read when older rows are let go, and arrow keys walk through it. It knows nothing of packets.

import "./packet_grid.css";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { onThemeChange, tokenNumber } from "../../ui/theme";
import { CELL, COLUMN_HEADER, ROW, ROW_GROUP } from "./grid_roles";

const OVERSCAN_ROWS = 8;
const ROW_HEIGHT_PER_TYPE = 1.75;
const AT_END_PX = 4;

export interface GridColumn {
  id: string;
  words: string;
  /** Its words are only for who hears them. */
  hidden?: boolean;
}

interface VirtualGridProps<T> {
  label: string;
  className: string;
  columns: readonly GridColumn[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  /** Its cells, in the order of the columns; each brings {...CELL}. */
  cells: (row: T, index: number) => ReactNode;
  rowClass: (row: T) => string;
  /** Index of the chosen row, -1 for none. */
  selected: number;
  onSelect: (index: number) => void;
  onEscape: () => void;
  following: boolean;
  onFollow: (following: boolean) => void;
  /** Stands in the place of rows while there are none. */
  empty: ReactNode;
}

export function VirtualGrid<T>(props: VirtualGridProps<T>) {
  const { rows, keyOf, selected, following } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();
  const rowHeight = useRowHeight();
  const [view, setView] = useState({ top: 0, height: 0 });
  const topKey = useRef<{ key: string; offset: number } | null>(null);

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() =>
      setView({ top: element.scrollTop, height: element.clientHeight - rowHeight }),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [rowHeight]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: also when the height of the view or of a row changes
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    if (following) element.scrollTop = element.scrollHeight;
    else
      stayAt(
        element,
        rows.findIndex((row) => keyOf(row) === topKey.current?.key),
        topKey.current?.offset,
        rowHeight,
      );
    setView((before) => (before.top === element.scrollTop ? before : { ...before, top: element.scrollTop }));
  }, [rows, following, rowHeight, view.height]);

  useLayoutEffect(() => {
    if (selected >= 0 && scroller.current) intoSight(scroller.current, selected, rowHeight);
  }, [selected, rowHeight]);

  const onScroll = () => {
    const element = scroller.current;
    if (!element) return;
    const { scrollTop, clientHeight, scrollHeight } = element;
    const first = rows[Math.floor(scrollTop / rowHeight)];
    topKey.current = first ? { key: keyOf(first), offset: scrollTop % rowHeight } : null;
    setView({ top: scrollTop, height: clientHeight - rowHeight });
    const atEnd = scrollTop + clientHeight + AT_END_PX >= scrollHeight;
    if (atEnd !== following) props.onFollow(atEnd && selected < 0);
  };
  const onKey = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(view.height / rowHeight) - 1);
    const from =
      selected < 0 ? (event.key === "ArrowUp" ? rows.length : Math.ceil(view.top / rowHeight) - 1) : selected;
    const to = {
      ArrowDown: from + 1,
      ArrowUp: from - 1,
      PageDown: from + page,
      PageUp: from - page,
      Home: 0,
      End: rows.length - 1,
    }[event.key];
    if (to !== undefined) props.onSelect(Math.max(0, Math.min(to, rows.length - 1)));
    else if (event.key === "Escape" && selected >= 0) props.onEscape();
    else return;
    event.preventDefault();
    event.stopPropagation(); // Escape has another meaning around the pane
  };
  const first = Math.max(0, Math.floor(view.top / rowHeight) - OVERSCAN_ROWS);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / rowHeight) + OVERSCAN_ROWS);
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows stand where script puts them, a table's cannot
    <div
      className={`packet-grid ${props.className}`}
      role="grid"
      aria-label={props.label}
      aria-rowcount={rows.length + 1}
      aria-readonly="true"
      aria-activedescendant={selected >= first && selected < last ? `${id}-${selected}` : undefined}
      tabIndex={0}
      ref={scroller}
      onScroll={onScroll}
      onKeyDown={onKey}
      style={{ "--row": `${rowHeight}px` } as React.CSSProperties}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: rows stand where script puts them, a table's cannot */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: the grid has the focus */}
      <div className="packet-row packet-head" role="row" aria-rowindex={1}>
        {props.columns.map((column) => (
          <span key={column.id} {...COLUMN_HEADER} className={`cell-${column.id}`}>
            {column.hidden ? <span className="visually-hidden">{column.words}</span> : column.words}
          </span>
        ))}
      </div>
      <div className="packet-rows" {...ROW_GROUP} style={{ height: rows.length * rowHeight || undefined }}>
        {rows.length === 0 && (
          <div {...ROW}>
            <div {...CELL} className="pane-empty">
              {props.empty}
            </div>
          </div>
        )}
        {rows.slice(first, last).map((row, at) => {
          const index = first + at;
          return (
            // biome-ignore lint/a11y/useFocusableInteractive: the grid has the focus and says which row is active
            // biome-ignore lint/a11y/useSemanticElements: rows stand where script puts them, a table's cannot
            <div
              key={keyOf(row)}
              id={`${id}-${index}`}
              role="row"
              aria-rowindex={index + 2}
              aria-selected={index === selected}
              className={`packet-row ${props.rowClass(row)}`}
              style={{ transform: `translateY(${index * rowHeight}px)` }}
              // not a click: rows move on between press and release
              onMouseDown={(event) => {
                if (event.button !== 0) return;
                event.preventDefault();
                props.onSelect(index);
                event.currentTarget.closest<HTMLElement>("[role=grid]")?.focus(); // the keys go on from here
              }}
            >
              {props.cells(row, index)}
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** The row that was on top stays there, although rows before it have gone or come. */
function stayAt(element: HTMLElement, index: number, offset = 0, rowHeight: number): void {
  if (index < 0) return;
  const wanted = index * rowHeight + offset;
  if (Math.abs(element.scrollTop - wanted) >= 1) element.scrollTop = wanted;
}

/** The head stays over the first row's height. */
function intoSight(element: HTMLElement, index: number, rowHeight: number): void {
  const [top, bottom] = [index * rowHeight, (index + 2) * rowHeight];
  if (top < element.scrollTop) element.scrollTop = top;
  else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight;
}

function readRowHeight(): number {
  return Math.round((tokenNumber("size-small") || 12) * ROW_HEIGHT_PER_TYPE);
}

/** As the type is large. */
function useRowHeight(): number {
  const [height, setHeight] = useState(readRowHeight);
  useEffect(() => {
    const update = () => setHeight(readRowHeight());
    window.addEventListener("resize", update);
    const undo = onThemeChange(update);
    return () => {
      window.removeEventListener("resize", update);
      undo();
    };
  }, []);
  return height;
}
