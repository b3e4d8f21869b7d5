// What the kernel's counters are called in plain words, and how their numbers are written. Pure.

import type { Counter } from "../../api/types";
import { STACK_GAUGES, STACK_WORDS } from "./stack_words";

const WORDS: Record<string, string> = {
  rx_packets: "packets received",
  tx_packets: "packets sent",
  rx_bytes: "bytes received",
  tx_bytes: "bytes sent",
  rx_errors: "receive errors",
  tx_errors: "send errors",
  rx_dropped: "dropped while receiving",
  tx_dropped: "dropped while sending",
  xdp_packets: "XDP: programs run",
  xdp_drop: "XDP: dropped",
  xdp_pass: "XDP: passed",
  xdp_tx: "XDP: sent back",
  xdp_redirect: "XDP: redirected",
  xdp_errors: "XDP: errors",
  xdp_generic_packets: "XDP generic: programs run",
  xdp_generic_drop: "XDP generic: dropped",
  xdp_generic_pass: "XDP generic: passed",
  qdisc_bytes: "queue: bytes sent",
  qdisc_packets: "queue: packets sent",
  qdisc_drops: "queue: dropped",
  qdisc_overlimits: "queue: held back",
  qdisc_backlog: "queue: bytes waiting",
  qdisc_requeues: "queue: put back",
  wg_rx_bytes: "tunnel: bytes received",
  wg_tx_bytes: "tunnel: bytes sent",
  wg_handshake_age: "tunnel: age of the handshake",
  ...STACK_WORDS,
};
/** What is told as it is: its change per second says nothing. */
const GAUGES: ReadonlySet<string> = new Set([
  "qdisc_backlog",
  "wg_handshake_age",
  "page_pool_in_flight",
  ...STACK_GAUGES,
]);
/** Packets that somebody did not get, and nobody's program decided so. */
const LOSSES: ReadonlySet<string> = new Set([
  "rx_errors",
  "tx_errors",
  "rx_dropped",
  "tx_dropped",
  "xdp_errors",
  "qdisc_drops",
]);

/** Reasons to drop that an attendee's own rules have decided, or that another counter of the interface tells already. */
const NO_LOSSES: ReadonlySet<string> = new Set([
  "XDP_DROP",
  "XDP_GENERIC_DROP",
  "TC_INGRESS",
  "TC_EGRESS",
  "NETFILTER_DROP",
  "SOCKET_FILTER",
  "BPF_CGROUP_EGRESS",
  "QDISC_DROP",
  "QDISC_OVERLIMIT",
  "QDISC_CONGESTED",
  "UNHANDLED_PROTO",
  "FULL_RING",
]);

export function counterWords(counter: Counter): string {
  const words = WORDS[counter.name] ?? (counter.words || counter.name);
  return counter.kind === "drop" ? `dropped: ${words}` : words;
}

export function isGauge(counter: Counter): boolean {
  return GAUGES.has(counter.name);
}

export function isLoss(counter: Counter): boolean {
  return LOSSES.has(counter.name) || (counter.kind === "drop" && !NO_LOSSES.has(counter.name));
}

/** As people read it: node:interface, or the node where it is the node's own, or the kernel where it is nobody's. */
export function whereWords(counter: Counter): string {
  if (!counter.node) return `kernel ${counter.object}`;
  return counter.object ? `${counter.node}:${counter.object}` : counter.node;
}

/** node:interface. A tunnel's peer is at its tunnel. */
export function placeOf(counter: Counter): string {
  return `${counter.node}:${counter.object.split(" ")[0]}`;
}

/** 1234567 as "1,234,567"; what is not known as "–". */
export function wholeNumber(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "–";
}

const EXACT_BELOW = 100_000;

/** A total in a narrow column: exact while it is short, then four digits and k, M, G or T. */
export function shortTotal(value: number): string {
  if (!(value >= EXACT_BELOW)) return wholeNumber(value);
  const power = Math.min(4, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** power).toPrecision(4)}${["", "k", "M", "G", "T"][power]}`;
}
