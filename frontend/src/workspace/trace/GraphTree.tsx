// Call graphs as a tree: a line is a function, with its time, its own time and, of many, how often; where most of the time went is
// marked. One tree for single calls and for their sum. The keys are those of every tree: arrows, Home, End, Enter, * for all.

import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { type CallNode, CONTEXTS, isHottest, type Line, linesOf } from "./call_graph";
import { duration } from "./trace_words";

export interface Root {
  /** Told apart from other roots. */
  id: string;
  node: CallNode;
  /** Beside its name: "call 3, on CPU 0, ping". */
  about: string;
}

interface GraphTreeProps {
  roots: readonly Root[];
  label: string;
  /** The sum of many calls: how often is told of each line. */
  sum: boolean;
  /** The line that was pointed at elsewhere: `root id/key`. */
  chosen: string | null;
  onChoose: (id: string) => void;
  /** Below it. */
  note: string;
}

interface Row extends Line {
  id: string;
  root: Root;
}

export function GraphTree({ roots, label, sum, chosen, onChoose, note }: GraphTreeProps) {
  const [folds, setFolds] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [all, setAll] = useState<boolean | null>(null);
  const tree = useRef<HTMLDivElement>(null);
  const prefix = useId();
  const slowest = roots.reduce((most, root) => Math.max(most, root.node.ns), 0);
  const first = roots[0]?.id;
  const isOpen = (root: Root, node: CallNode) =>
    folds.get(`${root.id}/${node.key}`) ?? all ?? (node.hot && (root.id === first || sum));
  const rows: Row[] = roots.flatMap((root) =>
    linesOf(root.node, (node) => isOpen(root, node)).map((line) => ({
      ...line,
      root,
      id: `${root.id}/${line.node.key}`,
    })),
  );
  const at = Math.max(
    0,
    rows.findIndex((row) => row.id === chosen),
  );
  const fold = (row: Row, open: boolean) => setFolds((known) => new Map(known).set(row.id, open));
  const foldAll = (open: boolean) => {
    setAll(open);
    setFolds(new Map());
  };

  useEffect(() => {
    if (chosen) tree.current?.querySelector(".graph-line.active")?.scrollIntoView({ block: "nearest" });
  }, [chosen]);

  const onKey = (event: KeyboardEvent) => {
    const row = rows[at];
    if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
    const open = isOpen(row.root, row.node);
    const hasChildren = row.node.children.length > 0;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    const next = rows[Math.max(0, Math.min(to ?? at, rows.length - 1))];
    if (to !== undefined && next) onChoose(next.id);
    else if (event.key === "ArrowRight" && hasChildren) open ? onChoose(rows[at + 1]?.id ?? row.id) : fold(row, true);
    else if (event.key === "ArrowLeft" && open && hasChildren) fold(row, false);
    else if (event.key === "ArrowLeft") onChoose(row.parent ? `${row.root.id}/${row.parent}` : row.id);
    else if ((event.key === "Enter" || event.key === " ") && hasChildren) fold(row, !open);
    else if (event.key === "*") foldAll(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <>
      <div className="graph-head small muted">
        <span className="graph-numbers mono" aria-hidden="true">
          <span title="With all that it calls">total</span>
          <span title="Without what it calls that is traced">own</span>
          {sum && <span>calls</span>}
        </span>
        <span className="graph-share-head" />
        <span>function</span>
        <span className="spacer" />
        <button type="button" className="quiet" onClick={() => foldAll(!(all ?? false))}>
          {all ? "Fold all" : "Unfold all"}
        </button>
      </div>
      <div className="graph-scroll">
        <div
          className="graph-tree mono"
          role="tree"
          ref={tree}
          tabIndex={0}
          aria-label={label}
          aria-activedescendant={rows[at] && `${prefix}${rows[at].id}`}
          onKeyDown={onKey}
        >
          {rows.map((row, place) => (
            <GraphLine
              key={row.id}
              row={row}
              dom={`${prefix}${row.id}`}
              open={isOpen(row.root, row.node)}
              active={place === at}
              sum={sum}
              slowest={slowest}
              onFold={(open) => fold(row, open)}
              onChoose={() => {
                onChoose(row.id);
                tree.current?.focus({ preventScroll: true });
              }}
            />
          ))}
        </div>
        {note && <p className="graph-note small muted">{note}</p>}
      </div>
    </>
  );
}

interface GraphLineProps {
  row: Row;
  dom: string;
  open: boolean;
  active: boolean;
  sum: boolean;
  /** The longest time of all roots. */
  slowest: number;
  onFold: (open: boolean) => void;
  onChoose: () => void;
}

function GraphLine({ row, dom, open, active, sum, slowest, onFold, onChoose }: GraphLineProps) {
  const { node, depth, root } = row;
  const share = Math.min(1, node.ns / Math.max(1, depth === 0 ? slowest : root.node.ns));
  const hasChildren = node.children.length > 0;
  const classes = ["graph-line", active && "active", node.hot && "hot", depth === 0 && "root"];
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus and says which line is active
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the keys
    <div
      role="treeitem"
      id={dom}
      aria-level={depth + 1}
      aria-selected={active}
      {...(hasChildren ? { "aria-expanded": open } : {})}
      className={classes.filter(Boolean).join(" ")}
      onClick={() => {
        onChoose();
        if (hasChildren) onFold(!open);
      }}
    >
      <span className="graph-numbers">
        <span title="With all that it calls">{node.open && node.ns === 0 ? "–" : duration(node.ns)}</span>
        <span title="Without what it calls that is traced">{duration(node.own)}</span>
        {sum && <span title="So often">{node.count.toLocaleString("en")}×</span>}
      </span>
      <span
        className="graph-share"
        aria-hidden="true"
        title={depth === 0 && !sum ? "Of the slowest call's time" : "Of the whole time"}
      >
        <span style={{ width: `${share * 100}%` }} />
      </span>
      <span className="graph-name" style={{ paddingInlineStart: `${depth * 14}px` }} title={node.name}>
        <span className="graph-fold" aria-hidden="true">
          {hasChildren ? (open ? "▾" : "▸") : ""}
        </span>
        {node.name}{" "}
        {isHottest(node) && (
          <span className="graph-hot" title="Most of the time went this way">
            hot
          </span>
        )}{" "}
        {node.entry && <span className="graph-context">{CONTEXTS[node.context]}</span>}{" "}
        {depth === 0 && root.about && <span className="graph-about">{root.about}</span>}
      </span>
    </div>
  );
}
