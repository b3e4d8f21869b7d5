// DNS, and mDNS and LLMNR that share its format (RFC 1035, 6762): questions and answers.

import { Cut, type Dissection, hex, Reader, readable } from "./dissection";

const TYPES: Readonly<Record<number, string>> = {
  1: "A",
  2: "NS",
  5: "CNAME",
  6: "SOA",
  12: "PTR",
  15: "MX",
  16: "TXT",
  28: "AAAA",
  33: "SRV",
  41: "OPT",
  47: "NSEC",
  65: "HTTPS",
  255: "ANY",
};
const CODES = ["no error", "format error", "server failure", "no such name", "not implemented", "refused"];
const POINTERS_MAX = 16;
const RECORDS_MAX = 40;
const NAME_LENGTH_MAX = 255;

export function dns(d: Dissection, r: Reader, protocol: string): void {
  const from = r.at;
  const layer = d.layer(protocol === "mDNS" ? "mdns" : "dns", protocol, from);
  d.say(protocol, "");
  const id = r.u16();
  d.value("dns.id", "Identifier", id, from, r.at, hex(id, 4));
  const flags = r.u16();
  const response = Boolean(flags & 0x8000);
  const code = flags & 0xf;
  d.keep("dns.flags.response", response ? 1 : 0);
  d.value(
    "dns.rcode",
    "Flags",
    code,
    from + 2,
    r.at,
    `${response ? "response" : "query"}, ${CODES[code] ?? `code ${code}`}`,
  );
  const [questions, answers, authorities, additional] = [r.u16(), r.u16(), r.u16(), r.u16()];
  d.field(
    "Records",
    `${questions} questions, ${answers} answers, ${authorities} authorities, ${additional} more`,
    from + 4,
    r.at,
  );
  const head = `${response ? "Response" : "Query"} ${hex(id, 4)}${response && code ? ` ${CODES[code] ?? `code ${code}`}` : ""}`;
  const words: string[] = [];
  const tell = () => {
    layer.summary = [head, ...words].join(" ");
    d.say(protocol, layer.summary);
  };
  tell();
  for (let i = 0; i < Math.min(questions, RECORDS_MAX); i++) {
    const at = r.at;
    const name = nameAt(r, from);
    const type = typeWords(r.u16());
    r.skip(2);
    d.value("dns.qry.name", "Question", name, at, r.at, `${name} ${type}`);
    words.push(`${type} ${name}`);
    tell();
  }
  const others = Math.min(answers + authorities + additional, RECORDS_MAX);
  for (let i = 0; i < others; i++) {
    const [name, type, value] = record(
      d,
      r,
      from,
      i < answers ? "Answer" : i < answers + authorities ? "Authority" : "Additional",
    );
    if (i >= answers || type === "OPT") continue;
    d.keep("dns.resp.name", name);
    words.push(questions ? `${type} ${value}` : `${type} ${name} ${value}`);
    tell();
  }
  layer.to = r.at;
}

function record(
  d: Dissection,
  r: Reader,
  message: number,
  section: string,
): [name: string, type: string, value: string] {
  const at = r.at;
  const name = nameAt(r, message);
  const type = typeWords(r.u16());
  r.skip(2);
  const seconds = r.u32();
  const part = r.part(r.u16());
  const value = type === "OPT" ? "EDNS" : valueWords(type, part, message);
  d.field(section, type === "OPT" ? "EDNS" : `${name} ${type} ${value}, ${seconds} s`, at, r.at);
  return [name, type, value];
}

function valueWords(type: string, r: Reader, message: number): string {
  switch (type) {
    case "A":
      return r.ipv4();
    case "AAAA":
      return r.ipv6();
    case "CNAME":
    case "NS":
    case "PTR":
      return nameAt(r, message);
    case "MX":
      return `${r.u16()} ${nameAt(r, message)}`;
    case "SRV": {
      r.skip(4);
      const port = r.u16();
      return `${nameAt(r, message)}:${port}`;
    }
    case "TXT":
      return readable(r.take(Math.min(r.u8(), Math.max(0, r.left))));
    default:
      return `${r.end - r.at} bytes`;
  }
}

/** A name, following pointers back into the message; loops end. */
function nameAt(r: Reader, message: number): string {
  const labels: string[] = [];
  let reader = r;
  let length = 0;
  for (let jumps = 0; jumps <= POINTERS_MAX && length < NAME_LENGTH_MAX; ) {
    const size = reader.u8();
    if (size === 0) return labels.join(".") || ".";
    if (size >= 0xc0) {
      const place = message + (size & 0x3f) * 256 + reader.u8();
      if (place >= r.end) throw new Cut();
      reader = new Reader(r.bytes, place, r.end);
      jumps++;
      continue;
    }
    if (size > 63) break;
    labels.push(reader.text(size));
    length += size + 1;
  }
  return `${labels.join(".")}…`;
}

function typeWords(type: number): string {
  return TYPES[type] ?? `type ${type}`;
}
