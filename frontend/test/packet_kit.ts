// Packets made by hand for tests: each function puts one header before what is inside.

import { sumOf } from "../src/live/decode/checksum";
import type { SeenPacket } from "../src/live/packets";

export type Bytes = number[];

export const hexBytes = (text: string): Bytes =>
  (text.replace(/\s+/g, "").match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
export const u16 = (value: number): Bytes => [(value >> 8) & 255, value & 255];
export const u32 = (value: number): Bytes => [...u16(value >>> 16), ...u16(value & 0xffff)];
export const ip4 = (text: string): Bytes => text.split(".").map(Number);
export const ascii = (text: string): Bytes => [...text].map((letter) => letter.charCodeAt(0));

const MAC_A = hexBytes("02 00 00 00 00 01");
const MAC_B = hexBytes("02 00 00 00 00 02");

export const eth = (type: number, inside: Bytes): Bytes => [...MAC_B, ...MAC_A, ...u16(type), ...inside];

interface Ip {
  from?: string;
  to?: string;
  id?: number;
  ttl?: number;
  word?: number;
}

export function ipv4(protocol: number, inside: Bytes, of: Ip = {}): Bytes {
  const { from = "10.0.0.1", to = "10.0.0.2", id = 7, ttl = 64, word = 0x4000 } = of;
  const head = [
    0x45,
    0,
    ...u16(20 + inside.length),
    ...u16(id),
    ...u16(word),
    ttl,
    protocol,
    0,
    0,
    ...ip4(from),
    ...ip4(to),
  ];
  const sum = 0xffff - sumOf(Uint8Array.from(head));
  head.splice(10, 2, ...u16(sum));
  return [...head, ...inside];
}

/** With a checksum that is right. */
export function icmp(type: number, code: number, rest: Bytes): Bytes {
  const sum = 0xffff - sumOf(Uint8Array.from([type, code, 0, 0, ...rest]));
  return [type, code, ...u16(sum), ...rest];
}

export const udp = (from: number, to: number, inside: Bytes): Bytes => [
  ...u16(from),
  ...u16(to),
  ...u16(8 + inside.length),
  0,
  0,
  ...inside,
];

interface Tcp {
  seq?: number;
  ack?: number;
  flags?: number;
  window?: number;
  options?: Bytes;
  sum?: number;
}

export function tcp(from: number, to: number, of: Tcp = {}, inside: Bytes = []): Bytes {
  const { seq = 1000, ack = 0, flags = 0x10, window = 500, options = [], sum = 0 } = of;
  const words = 5 + options.length / 4;
  const head = [
    ...u16(from),
    ...u16(to),
    ...u32(seq),
    ...u32(ack),
    words << 4,
    flags,
    ...u16(window),
    ...u16(sum),
    0,
    0,
  ];
  return [...head, ...options, ...inside];
}

export function packet(bytes: Bytes, of: Partial<SeenPacket> = {}): SeenPacket {
  return {
    number: 1,
    atS: 1_700_000_000,
    atNs: 0,
    bytes: bytes.length,
    outgoing: true,
    unfinished: false,
    data: Uint8Array.from(bytes),
    whole: true,
    ...of,
  };
}
