// Two ends of a link side by side: which packet of one end is which of the other, how long it took, what was not seen. Pure.
//
// The same packet has the same addresses, IP identification, ports, sequence numbers and first bytes at both ends; TTL, tags and
// checksums may differ. Equal packets (ARP asks again) belong together in their order. Where a large segment is cut into
// several on its way, its parts belong to it by their sequence numbers.

import type { Dissection } from "../../live/decode/dissection";
import { hexText } from "../../live/decode/dissection";
import { type Moment, nsBetween, type SeenPacket } from "../../live/packets";
import type { PacketLine } from "./lines";

export type Fate = "both" | "lost" | "waiting" | "unknown" | "part";

export interface Pair {
  kind: "pair";
  /** The packet at the first end and at the second; one of them may be missing. */
  a: PacketLine | null;
  b: PacketLine | null;
  fate: Fate;
  /** From the end that sent it to the other; null unless both saw it. */
  delayNs: number | null;
}

/** Seen at one end so long before the other end's newest packet or the end of its capture: it did not arrive. */
const ARRIVES_WITHIN_NS = 1e9;
/** Two clocks' readings of the same moment may be so far apart the wrong way. */
const CLOCK_SLACK_NS = 1e6;
const IDENTITY_BYTES = 40;
const MAC_BYTES = 12;

export interface End {
  /** All packets, in their order. */
  lines: readonly PacketLine[];
  running: boolean;
  /** When its capture began, Unix seconds. */
  startedAt: number;
  /** Packets that came too fast for it, nobody knows which. */
  missed: number;
}

/** In order of time. `now`: a time that the hosts' clock has reached; what was sent before may still arrive. */
export function pairUp(a: End, b: End, now: Moment): Pair[] {
  const pairs = new Map<PacketLine, Pair>();
  for (const [sent, received] of matched(a, b)) put(pairs, sent, received, true);
  for (const [sent, received] of matched(b, a)) put(pairs, received, sent, false);
  for (const line of a.lines) if (!pairs.has(line)) pairs.set(line, alone(line, null, fateOf(line, b, now)));
  for (const line of b.lines) if (!pairs.has(line)) pairs.set(line, alone(null, line, fateOf(line, a, now)));
  return [...new Set(pairs.values())].sort((x, y) => nsBetween(timeOf(y), timeOf(x)));
}

/** When it was first seen. */
export function timeOf(pair: Pair): SeenPacket {
  const [a, b] = [pair.a?.packet, pair.b?.packet];
  if (a && b) return nsBetween(a, b) < 0 ? b : a;
  return (a ?? b) as SeenPacket;
}

/** The packet to show of a pair, and at which end. */
export function chosenOf(pair: Pair): PacketLine {
  return (pair.a ?? pair.b) as PacketLine;
}

function put(pairs: Map<PacketLine, Pair>, a: PacketLine, b: PacketLine, fromA: boolean): void {
  const delayNs = fromA ? nsBetween(a.packet, b.packet) : nsBetween(b.packet, a.packet);
  const pair: Pair = { kind: "pair", a, b, fate: "both", delayNs };
  pairs.set(a, pair);
  pairs.set(b, pair);
}

function alone(a: PacketLine | null, b: PacketLine | null, fate: Fate): Pair {
  return { kind: "pair", a, b, fate, delayNs: null };
}

/** What one end sent, with what the other received of it. */
function matched(from: End, to: End): Map<PacketLine, PacketLine> {
  const waiting = new Map<string, PacketLine[]>();
  for (const line of from.lines) {
    if (!line.packet.outgoing) continue;
    const key = identityOf(line);
    const same = waiting.get(key);
    if (same) same.push(line);
    else waiting.set(key, [line]);
  }
  const found = new Map<PacketLine, PacketLine>();
  for (const line of to.lines) {
    if (line.packet.outgoing) continue;
    const same = waiting.get(identityOf(line));
    const sent = same && takeSent(same, line.packet);
    if (sent) found.set(sent, line);
  }
  return found;
}

/** The oldest that can be it: an older one that is long overdue was lost when a younger one of the same kind fits. */
function takeSent(same: PacketLine[], received: SeenPacket): PacketLine | undefined {
  const age = (line: PacketLine | undefined) => (line ? nsBetween(line.packet, received) : Number.NaN);
  while (age(same[0]) > ARRIVES_WITHIN_NS && age(same[1]) >= -CLOCK_SLACK_NS) same.shift();
  return age(same[0]) >= -CLOCK_SLACK_NS ? same.shift() : undefined;
}

const identities = new WeakMap<Dissection, string>();

export function identityOf({ d, packet }: PacketLine): string {
  const known = identities.get(d);
  if (known !== undefined) return known;
  const identity = d.identity || rawIdentity(d, packet);
  identities.set(d, identity);
  return identity;
}

/** What is not IP: everything from its EtherType on, behind tags. */
function rawIdentity(d: Dissection, packet: SeenPacket): string {
  const inner = d.layers.find((layer) => !["eth", "vlan", "dsa"].includes(layer.id));
  const from = inner?.from ?? MAC_BYTES;
  return `${d.protocol} ${d.values.get("eth.src")?.[0]} ${hexText(packet.data.subarray(from, from + IDENTITY_BYTES))}`;
}

function fateOf(line: PacketLine, other: End, now: Moment): Fate {
  const { packet } = line;
  if (isPart(line, other)) return "part";
  if (!packet.outgoing) return "unknown"; // what was received was sent: the other end has not shown it
  if (packet.atS + packet.atNs / 1e9 < other.startedAt) return "unknown"; // before the other end looked
  if (other.missed > 0 || hasHole(other, packet)) return "unknown";
  const first = other.lines[0]?.packet;
  if (first && first.number > 1 && nsBetween(packet, first) > 0) return "unknown"; // the list begins later
  const last = other.lines.at(-1)?.packet;
  const waited = Math.max(last ? nsBetween(packet, last) : Number.NEGATIVE_INFINITY, nsBetween(packet, now));
  if (!other.running) return last && nsBetween(packet, last) >= 0 ? "lost" : "unknown";
  return waited > ARRIVES_WITHIN_NS ? "lost" : "waiting";
}

/** The other end has packets of that moment that it does not show. */
function hasHole(end: End, at: SeenPacket): boolean {
  const { lines } = end;
  const after = firstAfter(lines, at);
  for (let i = Math.max(1, after); i < lines.length; i++) {
    const [before, line] = [lines[i - 1], lines[i]];
    if (!before || !line || nsBetween(at, before.packet) > ARRIVES_WITHIN_NS) return false;
    if (line.packet.number !== before.packet.number + 1) return true;
  }
  return false;
}

function firstAfter(lines: readonly PacketLine[], at: SeenPacket): number {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (nsBetween(at, (lines[middle] as PacketLine).packet) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

const NEAR_LINES = 60;

/** A piece of a larger segment that the other end saw whole, or the other way round. */
function isPart(line: PacketLine, other: End): boolean {
  const range = segmentOf(line);
  if (!range) return false;
  const near = firstAfter(other.lines, line.packet);
  for (let i = Math.max(0, near - NEAR_LINES); i < Math.min(other.lines.length, near + NEAR_LINES); i++) {
    const candidate = other.lines[i] as PacketLine;
    if (candidate.d.flow !== line.d.flow || candidate.packet.outgoing === line.packet.outgoing) continue;
    const theirs = segmentOf(candidate);
    if (!theirs || theirs.length === range.length) continue;
    if (range.from < theirs.to && theirs.from < range.to) return true;
  }
  return false;
}

function segmentOf({ d }: PacketLine): { from: number; to: number; length: number } | null {
  const length = Number(d.values.get("tcp.len")?.[0] ?? 0);
  const from = d.values.get("tcp.seq")?.[0];
  if (!length || typeof from !== "number") return null;
  return { from, to: from + length, length };
}
