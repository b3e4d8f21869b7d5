// Call graphs of a trace: the flat list that the host tells as trees, same paths added up, the hot path, an icicle's boxes, and
// the text that ftrace itself would print. Pure.

import type { TracedCall, TraceSeen } from "../../api/types";

const FRAME_NUMBERS = 4;
/** A child that took less of its caller's time, or of all, is not what makes it slow. */
const HOT_SHARE = 0.3;
const HOT_SHARE_OF_ALL = 0.1;
/** Narrower boxes of an icicle are not drawn; nobody could point at them. */
const BOX_SHARE_MIN = 0.002;
/** How wide ftrace prints a duration. */
const COLUMN = 14;

export type Context = 0 | 1 | 2;
export const CONTEXTS = ["process", "softirq", "interrupt"] as const;

/** Calls of one function on one path; of a single call `count` is 1. */
export interface CallNode {
  /** The path of numbers from the root: the same in each telling. */
  key: string;
  name: string;
  count: number;
  ns: number;
  /** Without what it has called. */
  own: number;
  context: Context;
  /** It runs in something else than its caller: an interrupt came, a softirq was run. */
  entry: boolean;
  /** The return of at least one was not seen: `ns` is what is known. */
  open: boolean;
  /** On the way that took the most time. */
  hot: boolean;
  children: CallNode[];
}

export function treeOf(call: TracedCall, names: readonly string[]): CallNode {
  const path: CallNode[] = [];
  for (let at = 0; at < call.frames.length; at += FRAME_NUMBERS) {
    const [depth = 0, name = 0, ns = 0, context = 0] = call.frames.slice(at, at + FRAME_NUMBERS);
    const parent = path[depth - 1];
    const key = parent ? `${parent.key}.${parent.children.length}` : "0";
    const node = newNode(key, names[name] ?? "", context as Context);
    node.count = 1;
    node.ns = ns;
    node.open = ns === 0;
    parent?.children.push(node);
    path.length = depth;
    path.push(node);
  }
  const root = path[0] ?? newNode("0", "", 0);
  return finish(root);
}

/** All calls on top of each other: what was called on the same path is one. */
export function summed(calls: readonly TracedCall[], names: readonly string[]): CallNode | null {
  let root: CallNode | null = null;
  for (const call of calls) {
    const tree = treeOf(call, names);
    root ??= newNode("0", tree.name, tree.context);
    add(root, tree);
  }
  return root && finish(root, true);
}

function newNode(key: string, name: string, context: Context): CallNode {
  return { key, name, count: 0, ns: 0, own: 0, context, entry: false, open: false, hot: false, children: [] };
}

function add(into: CallNode, node: CallNode): void {
  into.count += node.count;
  into.ns += node.ns;
  into.open ||= node.open;
  for (const child of node.children) {
    let same = into.children.find((each) => each.name === child.name);
    if (!same) {
      same = newNode(`${into.key}.${child.name}`, child.name, child.context);
      into.children.push(same);
    }
    add(same, child);
  }
}

function finish(root: CallNode, sorted = false): CallNode {
  root.entry = root.context !== 0;
  const count = (node: CallNode) => {
    for (const child of node.children) {
      count(child);
      child.entry = child.context !== node.context;
    }
    const called = node.children.reduce((sum, child) => sum + child.ns, 0);
    if (node.open && node.ns === 0) node.ns = called;
    node.own = Math.max(0, node.ns - called);
    if (sorted) node.children.sort((a, b) => b.ns - a.ns);
  };
  count(root);
  for (let node: CallNode | undefined = root; node; node = hottest(node, root.ns * HOT_SHARE_OF_ALL)) node.hot = true;
  return root;
}

function hottest(node: CallNode, least: number): CallNode | undefined {
  const most = node.children.reduce<CallNode | undefined>(
    (best, child) => (best && best.ns >= child.ns ? best : child),
    undefined,
  );
  return most && node.ns > 0 && most.ns >= Math.max(least, node.ns * HOT_SHARE) ? most : undefined;
}

export interface Line {
  node: CallNode;
  depth: number;
  /** The key of the caller's line; "": it has none. */
  parent: string;
}

/** Where the hot path ends: what to look at first. */
export function isHottest(node: CallNode): boolean {
  return node.hot && !node.children.some((child) => child.hot);
}

/** What is seen of a tree, from top to bottom. */
export function linesOf(root: CallNode, isOpen: (node: CallNode) => boolean): Line[] {
  const lines: Line[] = [];
  const walk = (node: CallNode, depth: number, parent: string) => {
    lines.push({ node, depth, parent });
    if (isOpen(node)) for (const child of node.children) walk(child, depth + 1, node.key);
  };
  walk(root, 0, "");
  return lines;
}

export interface Box {
  node: CallNode;
  depth: number;
  /** Of the root's time, 0 to 1. */
  from: number;
  share: number;
}

/** Callers above what they have called, as wide as it took. */
export function icicle(root: CallNode): Box[] {
  const boxes: Box[] = [];
  const whole = Math.max(1, root.ns);
  const walk = (node: CallNode, depth: number, from: number, room: number) => {
    const share = Math.min(room, node.ns / whole);
    if (share < BOX_SHARE_MIN) return;
    boxes.push({ node, depth, from, share });
    let at = from;
    for (const child of node.children) {
      walk(child, depth + 1, at, from + share - at);
      at = Math.min(from + share, at + child.ns / whole);
    }
  };
  walk(root, 0, 0, 1);
  return boxes;
}

/** As ftrace's function_graph prints it, so that tools and habits fit. */
export function asText(trace: TraceSeen): string {
  const lines = [
    "# tracer: function_graph",
    "#",
    "# CPU  DURATION                  FUNCTION CALLS",
    "# |     |   |                     |   |   |   |",
  ];
  for (const call of trace.calls) {
    lines.push(` ------------------------------------------`, ` ${call.cpu})  ${call.task}: call ${call.number}`, "");
    write(treeOf(call, trace.functions), call.cpu, 0, lines);
  }
  return `${lines.join("\n")}\n`;
}

function write(node: CallNode, cpu: number, depth: number, lines: string[]): void {
  const indent = "  ".repeat(depth + 1);
  if (node.children.length === 0) {
    lines.push(` ${cpu}) ${column(node)}|${indent}${node.name}();`);
    return;
  }
  lines.push(` ${cpu}) ${column(null)}|${indent}${node.name}() {`);
  for (const child of node.children) write(child, cpu, depth + 1, lines);
  lines.push(` ${cpu}) ${column(node)}|${indent}}`);
}

/** The kernel's marks for what took long: trace_functions_graph(5). */
function column(node: CallNode | null): string {
  if (!node || node.open) return " ".repeat(COLUMN);
  const us = node.ns / 1000;
  const mark = us > 1e6 ? "$" : us > 1e5 ? "@" : us > 1e4 ? "*" : us > 1e3 ? "#" : us > 100 ? "!" : us > 10 ? "+" : " ";
  return `${mark} ${us.toFixed(3)} us`.padEnd(COLUMN);
}
