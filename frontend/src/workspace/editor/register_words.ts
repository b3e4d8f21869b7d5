// A register's type as the verifier writes it -> words for somebody who learns to read it. Pure.

const U64_MAX = 2n ** 64n - 1n;
const S64_MAX = 2n ** 63n - 1n;
/** How much of a limit is still a limit: below it the number itself is told. */
const PLAIN = 2n ** 53n;

interface Parsed {
  kind: string;
  /** r=14, off=14, ks=4, ... ; "smin=smin32=0" gives both names the value. */
  fields: Map<string, string>;
}

export function wordsFor(register: string, value: string): string {
  if (register.startsWith("fp-")) return stackWords(value);
  const plain = value.replace(/^P(?=-?\d|scalar)/, ""); // P: the verifier needs it exactly
  if (/^-?(?:0x[0-9a-f]+|\d+)$/i.test(plain)) return `the number ${decimal(plain)}`;
  const frame = /^fp(-?\d+)?$/.exec(plain);
  if (frame) {
    const below = -Number(frame[1] ?? 0);
    return below === 0 ? "top of the stack (frame pointer)" : `stack, ${bytes(below)} below its top`;
  }
  const parsed = parse(plain);
  if (!parsed) return "";
  const base = kindWords(parsed);
  return /_or_null$/.test(parsed.kind) ? `${base}, or NULL: compare it with NULL first` : base;
}

function kindWords({ kind, fields }: Parsed): string {
  switch (kind.replace(/_or_null$/, "")) {
    case "ctx":
      return "the context: what the program was called with";
    case "scalar":
    case "inv":
      return numberWords(fields);
    case "pkt":
      return packetWords(fields);
    case "pkt_meta":
      return "start of the metadata before the packet";
    case "pkt_end":
      return "end of the packet: compare with it before you read";
    case "map_ptr":
      return `the map${mapName(fields)}`;
    case "map_value":
      return `a value in the map${mapName(fields)}${size(fields, "vs")}${offset(fields)}`;
    case "mem":
    case "alloc_mem":
    case "ringbuf_mem":
      return `memory${size(fields, "sz")}${offset(fields)}`;
    case "sock":
    case "sock_common":
    case "tcp_sock":
      return "a socket";
    case "func":
      return "a function of the program";
    default:
      return kind.replaceAll("_", " ").replace(/ or null$/, "");
  }
}

function packetWords(fields: Map<string, string>): string {
  const checked = Number(fields.get("r") ?? 0);
  const from = fields.get("off");
  const moving = fields.has("id") && fields.get("id") !== "0" ? ", at a place that is known only when it runs" : "";
  const place = from && from !== "0" ? `packet, byte ${from}` : "packet";
  const known = checked > 0 ? `bytes 0 to ${checked - 1} are safe to read` : "no byte is safe to read yet";
  return `${place}${moving}; ${known}`;
}

function numberWords(fields: Map<string, string>): string {
  const low = number(fields.get("umin"));
  const high = number(fields.get("umax"));
  const signedLow = number(fields.get("smin"));
  const signedHigh = number(fields.get("smax"));
  if (signedLow !== null && signedLow < 0n) return `a number from ${say(signedLow)} to ${say(signedHigh ?? S64_MAX)}`;
  const from = low ?? (signedLow !== null && signedHigh !== null && signedHigh >= 0n ? signedLow : 0n);
  const to = high ?? signedHigh ?? U64_MAX;
  if (to === U64_MAX && from === 0n) return "a number, any";
  if (from === to) return `the number ${say(from)}`;
  return to === U64_MAX ? `a number, at least ${say(from)}` : `a number from ${say(from)} to ${say(to)}`;
}

const SLOTS: Record<string, string> = {
  m: "written",
  "0": "zero",
  r: "a saved register",
  "?": "not written",
  i: "an iterator",
};

/** "mmmm????": eight bytes, the highest first; or a register that was saved there. */
function stackWords(value: string): string {
  if (!/^[m0r?idf]{8}$/.test(value)) return `saved: ${wordsFor("R", value) || value}`;
  const kinds = [...new Set(value)];
  if (kinds.length === 1) return `8 bytes ${SLOTS[value[0] ?? ""] ?? "in use"}`;
  return kinds.map((kind) => `${bytes(value.split(kind).length - 1)} ${SLOTS[kind] ?? "in use"}`).join(", ");
}

function parse(value: string): Parsed | null {
  const found = /^([a-z_0-9]+)(?:\((.*)\))?$/i.exec(value);
  if (!found?.[1]) return null;
  const fields = new Map<string, string>();
  for (const part of (found[2] ?? "").split(/,(?![^(]*\))/)) {
    const names = part.split("=");
    const last = names.pop() ?? "";
    for (const name of names) fields.set(name, last);
  }
  return { kind: found[1], fields };
}

function mapName(fields: Map<string, string>): string {
  const name = fields.get("map");
  return name ? ` ${name}` : "";
}

function size(fields: Map<string, string>, name: string): string {
  const count = fields.get(name);
  return count ? `, ${bytes(Number(count))}` : "";
}

function offset(fields: Map<string, string>): string {
  const from = fields.get("off");
  return from && from !== "0" ? `, at byte ${from}` : "";
}

function bytes(count: number): string {
  return count === 1 ? "1 byte" : `${count} bytes`;
}

function number(text: string | undefined): bigint | null {
  if (text === undefined || !/^-?(?:0x[0-9a-f]+|\d+)$/i.test(text)) return null;
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
}

function decimal(text: string): string {
  const value = number(text);
  return value === null ? text : say(value);
}

function say(value: bigint): string {
  if (value > PLAIN || value < -PLAIN) return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
  return value > 9n && text16(value) ? `${value} (0x${value.toString(16)})` : `${value}`;
}

/** Round in hexadecimal: then it was most likely meant so. */
function text16(value: bigint): boolean {
  return value > 255n && /^(?:f+|[1-9a-f]0+|f+0+)$/.test(value.toString(16));
}
