// The captures of the run and their newest packets, as live events and files bring them. It decodes nothing and asks for
// nothing: the pane does. Bounded: what is older than PACKETS_KEPT is let go here and stays in the capture's file.

import type { CaptureSeen, Packet, RunEvent } from "../api/types";

export const PACKETS_KEPT = 5_000;

export type PacketsEvent = Extract<RunEvent, { kind: "packets" }>;
export type CapturesEvent = Extract<RunEvent, { kind: "captures" }>;

/** A packet with its bytes. Its number is its place in the capture's file, from 1. */
export interface SeenPacket {
  number: number;
  atS: number;
  atNs: number;
  /** On the wire. */
  bytes: number;
  outgoing: boolean;
  /** Its checksum is left to the card. A file does not say. */
  unfinished: boolean;
  data: Uint8Array;
  /** These are all the bytes that were kept; else the file may have more. */
  whole: boolean;
}

export interface PacketList {
  /** By number, without a repetition; holes are packets that were not shown. */
  packets: readonly SeenPacket[];
  /** Packets before these have been let go. */
  letGo: boolean;
  /** How often a file has filled it: packets may have come before others since. */
  filled: number;
}

const NOTHING: PacketList = { packets: [], letGo: false, filled: 0 };

export class PacketStore {
  /** Oldest first; null: not told yet. */
  captures: readonly CaptureSeen[] | null = null;
  private version = 0;
  private lists = new Map<string, PacketList>();
  private readonly listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Another number after every change. */
  get = (): number => this.version;

  of(capture: string): PacketList {
    return this.lists.get(capture) ?? NOTHING;
  }

  takeCaptures(event: CapturesEvent): void {
    this.captures = event.captures;
    const known = new Set(event.captures.map((capture) => capture.id));
    for (const id of this.lists.keys()) if (!known.has(id)) this.lists.delete(id);
    this.changed();
  }

  takePackets(event: PacketsEvent): void {
    this.put(event.capture, event.packets.map(seen));
  }

  /** What a capture's file had when it was read. */
  takeFile(capture: string, packets: readonly SeenPacket[]): void {
    this.put(capture, packets, 1);
  }

  clear(): void {
    this.captures = null;
    this.lists = new Map();
    this.changed();
  }

  private put(capture: string, more: readonly SeenPacket[], filled = 0): void {
    if (more.length === 0) return;
    const before = this.of(capture);
    const all = merged(before.packets, more);
    const kept = all.slice(-PACKETS_KEPT);
    const letGo = before.letGo || kept.length < all.length;
    this.lists.set(capture, { packets: kept, letGo, filled: before.filled + filled });
    this.changed();
  }

  private changed(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }
}

/** Of a packet that is in both, the one with more bytes, and what is known of its checksum. */
export function merged(one: readonly SeenPacket[], other: readonly SeenPacket[]): SeenPacket[] {
  const [first, last] = [other[0], one.at(-1)];
  if (!first || !last || last.number < first.number) return [...one, ...other];
  const all = new Map(one.map((packet) => [packet.number, packet]));
  for (const packet of other) {
    const known = all.get(packet.number);
    if (!known || (!known.whole && packet.whole)) {
      all.set(packet.number, known?.unfinished ? { ...packet, unfinished: true } : packet);
    }
  }
  return [...all.values()].sort((a, b) => a.number - b.number);
}

function seen(packet: Packet): SeenPacket {
  const data = fromBase64(packet.head);
  return {
    number: packet.number,
    atS: packet.at_s,
    atNs: packet.at_ns,
    bytes: packet.bytes,
    outgoing: packet.outgoing,
    unfinished: packet.unfinished,
    data,
    whole: data.length >= packet.bytes,
  };
}

function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export type Moment = Pick<SeenPacket, "atS" | "atNs">;

/** Nanoseconds from one packet to another; exact, since only their difference is a number. */
export function nsBetween(from: Moment, to: Moment): number {
  return (to.atS - from.atS) * 1e9 + (to.atNs - from.atNs);
}
