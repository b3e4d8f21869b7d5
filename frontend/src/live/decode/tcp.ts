// TCP with its flags and options, down to TLS.

import { checksumWords } from "./checksum";
import type { Segment } from "./conversation";
import { type Dissection, flowOf, hexText, Reader } from "./dissection";
import type { Carrier } from "./ip";
import { plainText } from "./text";
import { isTls, tls } from "./tls";

/** From the lowest bit. */
const FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"];
const HEADER_BYTES = 20;

export function tcp(d: Dissection, r: Reader, carrier: Carrier): void {
  const from = r.at;
  const layer = d.layer("tcp", "TCP", from);
  d.say("TCP", "");
  const [source, to] = [r.u16(), r.u16()];
  d.value("tcp.srcport", "Source port", source, from, from + 2);
  d.value("tcp.dstport", "Destination port", to, from + 2, r.at);
  for (const port of [source, to]) {
    d.keep("tcp.port", port);
    d.keep("port", port);
  }
  d.flow = flowOf("tcp", `${carrier.source}:${source}`, `${carrier.destination}:${to}`);
  layer.summary = `${source} → ${to}`;
  d.info = layer.summary;
  const sequence = r.u32();
  d.value("tcp.seq", "Sequence", sequence, from + 4, r.at);
  const acknowledged = r.u32();
  d.value("tcp.ack", "Acknowledgment", acknowledged, from + 8, r.at);
  const word = r.u16();
  const headerBytes = (word >> 12) * 4;
  const payload = Math.max(0, r.end - from - headerBytes);
  d.field("Header length", `${headerBytes} bytes`, from + 12, from + 13);
  const names = flagsOf(d, word);
  d.field("Flags", names || "none", from + 12, r.at);
  const window = r.u16();
  d.value("tcp.window", "Window", window, from + 14, r.at);
  d.field("Checksum", checksumWords(d, r.u16(), from, carrier.pseudo), from + 16, r.at);
  d.field("Urgent pointer", r.u16(), from + 18, r.at);
  d.keep("tcp.len", payload);
  const segment: Segment = {
    from: `${carrier.source}:${source}`,
    to: `${carrier.destination}:${to}`,
    sequence,
    acknowledged,
    window,
    length: payload,
    syn: Boolean(word & 2),
    fin: Boolean(word & 1),
    rst: Boolean(word & 4),
  };
  const remark = d.wantsFields ? "" : (d.conversations?.take(segment) ?? ""); // a packet that is looked at again has been taken
  const relative = d.conversations?.relative(segment) ?? segment;
  if (relative.sequence !== sequence) d.field("Sequence from the first", relative.sequence, from + 4, from + 8);
  if (relative.window !== window) d.field("Window in bytes", relative.window, from + 14, from + 16);
  if (remark) d.keep("tcp.analysis", remark);
  const ack = word & 0x10 ? ` Ack=${relative.acknowledged}` : "";
  const head = `${source} → ${to} [${names}] Seq=${relative.sequence}${ack} Win=${relative.window}`;
  layer.summary = `${head} Len=${payload}`;
  d.say("TCP", remark ? `[${remark}] ${layer.summary}` : layer.summary);
  d.identity += ` ${source} ${to} ${sequence} ${acknowledged} ${word & 7} ${payload > 0}`;
  const options = headerBytes > HEADER_BYTES ? readOptions(d, r.part(headerBytes - HEADER_BYTES), segment) : "";
  d.info += options;
  d.identity += options;
  layer.to = from + headerBytes;
  if (payload > 0) inside(d, new Reader(r.bytes, from + headerBytes, r.end));
}

function flagsOf(d: Dissection, word: number): string {
  const names: string[] = [];
  FLAGS.forEach((name, bit) => {
    const set = (word >> bit) & 1;
    d.keep(`tcp.flags.${name.toLowerCase()}`, set);
    if (set) names.push(name);
  });
  return names.join(", ");
}

/** The words of the options for the line, " MSS=1460 WS=7". */
function readOptions(d: Dissection, r: Reader, segment: Segment): string {
  let words = "";
  while (r.left > 0) {
    const at = r.at;
    const kind = r.u8();
    if (kind === 0) break;
    if (kind === 1) continue;
    const length = r.u8();
    if (length < 2) break;
    const option = r.part(length - 2);
    const [name, value, word] = optionWords(kind, option);
    d.field(name, value, at, at + length);
    if (kind === 2) d.keep("tcp.mss", Number(value));
    if (kind === 3 && !d.wantsFields) d.conversations?.scaled(segment, Number.parseInt(value, 10));
    words += word;
  }
  return words;
}

function optionWords(kind: number, r: Reader): [name: string, value: string, word: string] {
  switch (kind) {
    case 2: {
      const mss = r.u16();
      return ["Maximum segment size", String(mss), ` MSS=${mss}`];
    }
    case 3: {
      const shift = r.u8();
      return ["Window scale", `${shift} (times ${2 ** shift})`, ` WS=${2 ** shift}`];
    }
    case 4:
      return ["SACK permitted", "yes", " SACK_PERM"];
    case 5: {
      const blocks: string[] = [];
      while (r.left >= 8) blocks.push(`${r.u32()}–${r.u32()}`);
      return ["SACK", blocks.join(", "), ` SACK=${blocks.join(",")}`];
    }
    case 8: {
      const [value, echo] = [r.u32(), r.u32()];
      return ["Timestamps", `${value}, echo ${echo}`, ` TSval=${value} TSecr=${echo}`];
    }
    case 34:
      return ["Fast Open cookie", hexText(r.take(Math.max(0, r.left))), " TFO"];
    default:
      return [`Option ${kind}`, hexText(r.take(Math.max(0, r.left))), ""];
  }
}

function inside(d: Dissection, r: Reader): void {
  if (r.left <= 0) return;
  if (isTls(r)) {
    tls(d, r);
    return;
  }
  if (plainText(d, r)) return;
  const layer = d.layer("data", "Data", r.at, `${r.end - r.at} bytes`);
  layer.to = Math.min(r.end, r.bytes.length);
}
