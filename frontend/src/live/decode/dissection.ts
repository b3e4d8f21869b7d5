// What becomes of a packet's bytes: layers with fields, and the values that filters ask for. Decoders read through `Reader`,
// which throws `Cut` where the kept bytes end; only `decode` catches it. Pure.

import type { Conversations } from "./conversation";

/** Name, value, and the bytes that it was read from: first, and one behind the last. */
export type Field = readonly [name: string, value: string, from: number, to: number];

export interface Layer {
  /** As filters name it: `tcp`. */
  id: string;
  name: string;
  summary: string;
  fields: Field[];
  from: number;
  to: number;
  /** "cut": the kept bytes end within it; "ends early": the packet itself does, so it is not what it says. */
  cut: "" | "cut" | "ends early";
}

export type Value = string | number;

/** Thrown by Reader: the packet, or what was kept of it, ends here. */
export class Cut extends Error {}

export class Dissection {
  readonly layers: Layer[] = [];
  /** All values of each name: `ip.src` of a tunnel's packet has two. */
  readonly values = new Map<string, Value[]>();
  protocol = "";
  info = "";
  source = "";
  destination = "";
  /** The same for both directions: "tcp 10.0.0.1:80 10.0.0.2:4000"; "" for what has no ends. */
  flow = "";
  /** What stays the same from one end of a link to the other, and tells this packet from others. */
  identity = "";

  constructor(
    readonly bytes: Uint8Array,
    readonly wireBytes: number,
    readonly unfinished: boolean,
    /** Fields cost: a line of a list needs none. */
    readonly wantsFields: boolean,
    readonly conversations: Conversations | null = null,
  ) {}

  layer(id: string, name: string, from: number, summary = ""): Layer {
    const layer: Layer = { id, name, summary, fields: [], from, to: this.bytes.length, cut: "" };
    this.layers.push(layer);
    return layer;
  }

  field(name: string, value: Value, from: number, to: number): void {
    if (!this.wantsFields) return;
    const end = this.bytes.length; // a length may promise more than was kept
    this.layers.at(-1)?.fields.push([name, String(value), Math.min(from, end), Math.min(to, end)]);
  }

  /** A field that filters know by `key` as well. */
  value(key: string, name: string, value: Value, from: number, to: number, words = String(value)): void {
    this.keep(key, value);
    this.field(name, words, from, to);
  }

  /** Why its bytes ended before the layer did. */
  get end(): "cut" | "ends early" {
    return this.bytes.length < this.wireBytes ? "cut" : "ends early";
  }

  keep(key: string, value: Value): void {
    const known = this.values.get(key);
    if (known) known.push(value);
    else this.values.set(key, [value]);
  }

  /** The line's protocol and words; the innermost layer that says something wins. */
  say(protocol: string, info: string): void {
    this.protocol = protocol;
    this.info = info;
  }

  ends(source: string, destination: string): void {
    this.source = source;
    this.destination = destination;
  }
}

/** Reads forwards, big endian. `end` is where the layer above says that it ends. */
export class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    readonly end: number,
  ) {}

  get left(): number {
    return Math.min(this.end, this.bytes.length) - this.at;
  }

  u8(): number {
    this.need(1);
    return this.bytes[this.at++] as number;
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8();
  }

  u24(): number {
    return this.u8() * 0x10000 + this.u16();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  u64(): bigint {
    return BigInt(this.u32()) * 0x1_0000_0000n + BigInt(this.u32());
  }

  little32(): number {
    const [a, b, c, d] = [this.u8(), this.u8(), this.u8(), this.u8()];
    return a + b * 0x100 + c * 0x10000 + d * 0x1000000;
  }

  take(count: number): Uint8Array {
    this.need(count);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  skip(count: number): void {
    this.need(count);
    this.at += count;
  }

  mac(): string {
    return macText(this.take(6));
  }

  ipv4(): string {
    return this.take(4).join(".");
  }

  ipv6(): string {
    return ipv6Text(this.take(16));
  }

  text(count: number): string {
    return readable(this.take(count));
  }

  hex(count: number): string {
    return hexText(this.take(count));
  }

  /** The next `count` bytes, and no further. */
  part(count: number): Reader {
    const part = new Reader(this.bytes, this.at, Math.min(this.end, this.at + count));
    this.at += count;
    return part;
  }

  private need(count: number): void {
    if (count < 0 || this.left < count) throw new Cut();
  }
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

export function hexText(bytes: Uint8Array, between = ""): string {
  const parts: string[] = [];
  for (const byte of bytes) parts.push(HEX[byte] as string);
  return parts.join(between);
}

export function macText(bytes: Uint8Array): string {
  return hexText(bytes, ":");
}

export function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

/** As RFC 5952 writes them: the longest run of zeros as "::". */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] as number) * 0x100 + (bytes[2 * i + 1] as number));
  let [best, bestLength] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) [best, bestLength] = [i, length];
  }
  const words = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (best < 0) return words(groups);
  return `${words(groups.slice(0, best))}::${words(groups.slice(best + bestLength))}`;
}

/** Bytes as text; what is no printable ASCII as a dot. */
export function readable(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  return text;
}

/** Set bits by their names, "SYN, ACK"; `names` from the lowest bit, "" for those that are not told. */
export function flagWords(bits: number, names: readonly string[], between = ", "): string {
  return names.filter((name, bit) => name && bits & (1 << bit)).join(between);
}

/** Both directions of a conversation have the same. */
export function flowOf(protocol: string, one: string, other: string): string {
  return one < other ? `${protocol} ${one} ${other}` : `${protocol} ${other} ${one}`;
}
