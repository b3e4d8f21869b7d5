// From the packets of a capture to the lines of its list: decoded once, filtered, with a line for every hole. Pure but for
// what it remembers of packets that were decoded before.

import type { CaptureSeen, LabSwitch } from "../../api/types";
import { Conversations } from "../../live/decode/conversation";
import { type Circumstances, decode } from "../../live/decode/decode";
import type { Dissection } from "../../live/decode/dissection";
import type { PacketList, SeenPacket } from "../../live/packets";
import type { Test } from "./filter";

/** One packet, at one end. */
export interface PacketLine {
  kind: "packet";
  packet: SeenPacket;
  d: Dissection;
}

/** Packets that the list does not have. */
export interface HoleLine {
  kind: "hole";
  after: number;
  count: number;
}

export type Line = PacketLine | HoleLine;

export function placeOfCapture(capture: CaptureSeen): string {
  return `${capture.node}:${capture.interface}`;
}

export type { Circumstances };

/** On a conduit frames carry a tag that nothing in them announces. */
export function circumstancesOf(
  capture: Pick<CaptureSeen, "node" | "interface" | "link_type">,
  switches: readonly LabSwitch[],
): Circumstances {
  const on = switches.find((sw) => sw.node === capture.node && sw.conduit === capture.interface);
  return { linkType: capture.link_type, tagger: on?.tagger ?? "", conversations: null };
}

/** The lines of one capture: the same packet is the same line each time, unless packets before it have come since. */
export class Lines {
  private known = new WeakMap<SeenPacket, PacketLine>();
  private conversations = new Conversations();
  private filled = 0;

  /** For a packet that is looked at, too. */
  circumstances: Circumstances;

  constructor(where: Circumstances) {
    this.circumstances = { ...where, conversations: this.conversations };
  }

  of(list: PacketList): PacketLine[] {
    if (list.filled !== this.filled) this.forget(list.filled);
    return list.packets.map((packet, index) => this.line(packet, list.packets[index - 1]));
  }

  private forget(filled: number): void {
    this.filled = filled;
    this.known = new WeakMap();
    this.conversations = new Conversations();
    this.circumstances = { ...this.circumstances, conversations: this.conversations };
  }

  private line(packet: SeenPacket, before: SeenPacket | undefined): PacketLine {
    const known = this.known.get(packet);
    if (known) return known;
    if (before && packet.number !== before.number + 1) this.conversations.skip();
    const d = decode(packet, this.circumstances, false);
    const line: PacketLine = { kind: "packet", packet, d };
    this.known.set(packet, line);
    return line;
  }
}

export function linesOf(all: readonly PacketLine[], test: Test, flow: string): Line[] {
  const lines: Line[] = [];
  let before = all[0] ? all[0].packet.number - 1 : 0;
  for (const line of all) {
    const { packet } = line;
    const missing = packet.number - before - 1;
    const last = lines.at(-1);
    // with a filter nothing may pass between two holes
    if (missing > 0 && last?.kind === "hole") lines[lines.length - 1] = { ...last, count: last.count + missing };
    else if (missing > 0) lines.push({ kind: "hole", after: before, count: missing });
    before = packet.number;
    const { d } = line;
    if ((!flow || d.flow === flow) && test(d)) lines.push(line);
  }
  return lines;
}

/** Packets that were kept and are not in the list, besides those that were let go at its beginning. */
export function notShown(packets: readonly SeenPacket[], taken: number): number {
  const first = packets[0];
  return first ? Math.max(0, taken - first.number + 1 - packets.length) : taken;
}
