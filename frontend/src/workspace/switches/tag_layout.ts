// Where a switch tag sits in a frame, and which bits of it mean what, after net/dsa/tag_*.c. Pure; the words of the fields
// come from the host, this says where to point.

import type { TaggedFrame } from "../../api/types";

/** A stretch of bits, counted from the tag's first. */
export interface Bits {
  first: number;
  count: number;
}

export interface TagField {
  /** As the host calls it; "" for bits that mean nothing. */
  name: string;
  at: Bits[];
}

export interface Segment {
  label: string;
  bytes: number;
  isTag: boolean;
}

const ADDRESS_BYTES = 6;
const ETHERTYPE_BYTES = 2;
const EDSA_ETHERTYPE_BITS = 32;

const field = (name: string, first: number, count: number): TagField => ({ name, at: [{ first, count }] });

/** The four bytes that DSA and EDSA share; some bits mean something else in each mode. */
function dsaFields(mode: string, tagged: boolean, from: number): TagField[] {
  const middle: TagField[] = {
    TO_CPU: [
      {
        name: "code",
        at: [
          { first: from + 13, count: 2 },
          { first: from + 19, count: 1 },
        ],
      },
    ],
    FORWARD: [field("trunk", from + 13, 1), field("", from + 14, 1), field("", from + 19, 1)],
    TO_SNIFFER: [field("seen", from + 13, 1), field("", from + 14, 1), field("", from + 19, 1)],
  }[mode] ?? [field("", from + 13, 2), field("", from + 19, 1)];
  return [
    field("mode", from, 2),
    field("tagged", from + 2, 1),
    field("device", from + 3, 5),
    field("port", from + 8, 5),
    ...middle,
    field(tagged ? "cfi" : "", from + 15, 1),
    field("priority", from + 16, 3),
    field("vlan", from + 20, 12),
  ];
}

export function tagFields(frame: Pick<TaggedFrame, "tagger" | "direction" | "fields">): TagField[] {
  const words = new Map(frame.fields);
  const dsa = (from: number) => dsaFields(words.get("mode") ?? "", words.get("tagged") === "yes", from);
  switch (frame.tagger) {
    case "dsa":
      return dsa(0);
    case "edsa":
      return [field("ethertype", 0, 16), field("", 16, 16), ...dsa(EDSA_ETHERTYPE_BITS)];
    case "trailer":
      return frame.direction === "from_cpu"
        ? [
            field("mark", 0, 8),
            field("ports", 8, 8),
            field("", 16, 3),
            field("override", 19, 1),
            field("", 20, 4),
            field("", 24, 8),
          ]
        : [field("mark", 0, 8), field("", 8, 5), field("port", 13, 3), field("", 16, 16)];
    default:
      return [];
  }
}

/** The frame from its first byte to its last, as it is on the wire. */
export function frameSegments(frame: Pick<TaggedFrame, "tagger" | "tag" | "bytes">): Segment[] {
  const tagBytes = frame.tag.length / 2;
  const addresses: Segment[] = [
    { label: "to", bytes: ADDRESS_BYTES, isTag: false },
    { label: "from", bytes: ADDRESS_BYTES, isTag: false },
  ];
  const rest = Math.max(0, frame.bytes - 2 * ADDRESS_BYTES - tagBytes - ETHERTYPE_BYTES);
  const inside: Segment[] = [
    { label: "type", bytes: ETHERTYPE_BYTES, isTag: false },
    { label: "payload", bytes: rest, isTag: false },
  ];
  if (tagBytes === 0) return [...addresses, ...inside];
  const tag: Segment = { label: "tag", bytes: tagBytes, isTag: true };
  return frame.tagger === "trailer" ? [...addresses, ...inside, tag] : [...addresses, tag, ...inside];
}

/** One sentence on where the tag is, for those who have just changed the tagger. */
export function placeOfTag(tagger: string): string {
  switch (tagger) {
    case "dsa":
      return "4 bytes between source address and EtherType. Nothing says that they are there: only who knows reads them.";
    case "edsa":
      return "8 bytes in the place of the EtherType: 0xdada announces the same 4 bytes as with DSA.";
    case "trailer":
      return "4 bytes behind everything else; the header stays as it was.";
    default:
      return "No tag: which port it came from cannot be told.";
  }
}

/** The tag's bits in rows of 32, each the stretch of a field, in order and without a hole. */
export interface Stretch extends Bits {
  name: string;
  bits: string;
}

export function bitRows(tag: string, fields: readonly TagField[]): Stretch[][] {
  const bits = [...tag].map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, "0")).join("");
  const stretches = fields
    .flatMap(({ name, at }) => at.map((place) => ({ name, ...place })))
    .sort((a, b) => a.first - b.first)
    .map((s) => ({ ...s, bits: bits.slice(s.first, s.first + s.count) }));
  const rows: Stretch[][] = [];
  for (const stretch of stretches) {
    const row = Math.floor(stretch.first / 32);
    rows[row] = [...(rows[row] ?? []), stretch];
  }
  return rows;
}
