// Reads netlab's own pcapng files, and any other with one interface, in either byte order: the packets in their order. A file
// that ends in the middle of a block gives what was whole before it. Source: draft-ietf-opsawg-pcapng.

import type { SeenPacket } from "../packets";

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const OPT_TSRESOL = 9;
const EPB_FLAGS = 2;
const OUTBOUND = 2;
const DIRECTION_BITS = 3;
const BLOCK_MIN_BYTES = 12;
const MICROSECONDS = 6;
const NS_DIGITS = 9;

export interface PcapFile {
  /** As of the first interface: 1 is Ethernet, 101 begins with an IP header. */
  linkType: number;
  packets: SeenPacket[];
}

/** Null: it is no pcapng file. */
export function readPcapng(file: Uint8Array): PcapFile | null {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < BLOCK_MIN_BYTES || view.getUint32(0) !== SECTION_HEADER) return null;
  const little = view.getUint32(8, true) === BYTE_ORDER_MAGIC;
  if (!little && view.getUint32(8) !== BYTE_ORDER_MAGIC) return null;
  const packets: SeenPacket[] = [];
  let linkType = 0;
  let digits = MICROSECONDS;
  let interfaces = 0;
  for (let at = 0; at + BLOCK_MIN_BYTES <= file.length; ) {
    const kind = view.getUint32(at, little);
    const length = view.getUint32(at + 4, little);
    const end = at + length;
    if (length < BLOCK_MIN_BYTES || length % 4 || end > file.length) break;
    if (kind === INTERFACE && length >= 20) {
      if (interfaces++ === 0) linkType = view.getUint16(at + 8, little);
      digits = option(view, at + 16, end - 4, OPT_TSRESOL, little, (place) => view.getUint8(place)) ?? MICROSECONDS;
    } else if (kind === ENHANCED_PACKET && length >= 32) {
      const packet = readPacket(file, view, at, end, little, digits, packets.length + 1);
      if (packet) packets.push(packet);
    }
    at = end;
  }
  return { linkType, packets };
}

function readPacket(
  file: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  little: boolean,
  digits: number,
  number: number,
): SeenPacket | null {
  const kept = view.getUint32(at + 20, little);
  const from = at + 28;
  if (from + kept > end - 4) return null;
  const ticks = (BigInt(view.getUint32(at + 12, little)) << 32n) | BigInt(view.getUint32(at + 16, little));
  const second = 10n ** BigInt(Math.min(digits, NS_DIGITS));
  const padded = from + kept + (-kept & 3);
  const flags = option(view, padded, end - 4, EPB_FLAGS, little, (place) => view.getUint32(place, little)) ?? 0;
  return {
    number,
    atS: Number(ticks / second),
    atNs: Number(((ticks % second) * 1_000_000_000n) / second),
    bytes: view.getUint32(at + 24, little),
    outgoing: (flags & DIRECTION_BITS) === OUTBOUND,
    unfinished: false,
    data: file.subarray(from, from + kept),
    whole: true,
  };
}

/** The value of the first option with this code. */
function option(
  view: DataView,
  from: number,
  end: number,
  wanted: number,
  little: boolean,
  read: (place: number) => number,
): number | null {
  for (let at = from; at + 4 <= end; ) {
    const code = view.getUint16(at, little);
    const length = view.getUint16(at + 2, little);
    if (code === 0 || at + 4 + length > end) return null;
    if (code === wanted && length > 0) return read(at + 4);
    at += 4 + length + (-length & 3);
  }
  return null;
}
