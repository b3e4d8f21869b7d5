// The Precision Time Protocol (IEEE 1588-2019, version 2), over Ethernet or UDP 319 and 320.

import { type Dissection, flagWords, type Reader } from "./dissection";

const MESSAGES: Readonly<Record<number, string>> = {
  0: "Sync",
  1: "Delay_Req",
  2: "Pdelay_Req",
  3: "Pdelay_Resp",
  8: "Follow_Up",
  9: "Delay_Resp",
  10: "Pdelay_Resp_Follow_Up",
  11: "Announce",
  12: "Signaling",
  13: "Management",
};
const FLAGS = [
  "leap 61",
  "leap 59",
  "UTC offset valid",
  "PTP timescale",
  "time traceable",
  "frequency traceable",
  "",
  "",
];
const HIGH_FLAGS = ["alternate master", "two step", "unicast"];
const WITH_TIME: ReadonlySet<number> = new Set([0, 1, 2, 3, 8, 9, 10, 11]);
const SUB_NS = 0x10000;

export function ptp(d: Dissection, r: Reader): void {
  const from = r.at;
  const layer = d.layer("ptp", "PTP", from);
  d.say("PTP", "");
  const kind = r.u8() & 0xf;
  const name = MESSAGES[kind] ?? `message ${kind}`;
  layer.summary = name;
  d.value("ptp.type", "Message", kind, from, r.at, name);
  d.field("Version", r.u8() & 0xf, from + 1, r.at);
  d.field("Length", r.u16(), from + 2, r.at);
  d.field("Domain", r.u8(), from + 4, r.at);
  r.skip(1);
  const high = r.u8();
  const flags = [flagWords(high, HIGH_FLAGS), flagWords(r.u8(), FLAGS)].filter(Boolean).join(", ");
  d.field("Flags", flags || "none", from + 6, r.at);
  d.field("Correction", `${Number(BigInt.asIntN(64, r.u64())) / SUB_NS} ns`, from + 8, r.at);
  r.skip(4);
  const clock = r.hex(8);
  const port = r.u16();
  d.field("Source", `${clock}, port ${port}`, from + 20, r.at);
  const sequence = r.u16();
  d.value("ptp.seq", "Sequence", sequence, from + 30, r.at);
  r.skip(1);
  d.field("Interval", `2^${(r.u8() << 24) >> 24} s`, from + 33, r.at);
  layer.summary = `${name}, seq ${sequence}${high & 2 ? ", two step" : ""}`;
  d.say("PTP", layer.summary);
  if (WITH_TIME.has(kind) && r.left >= 10) {
    const seconds = r.u16() * 0x1_0000_0000 + r.u32();
    d.field("Time", `${seconds}.${String(r.u32()).padStart(9, "0")} s`, from + 34, r.at);
  }
  layer.to = r.at;
}
