// What is told of captures, as netlab/wire/packets.py defines it. Part of types.ts.

/** One captured packet: wire/packets.py. Times are two numbers: one cannot hold nanoseconds of this century. */
export interface Packet {
  number: number;
  at_s: number;
  at_ns: number;
  bytes: number;
  outgoing: boolean;
  /** Base64, at most 192 bytes of it. */
  head: string;
  /** Its checksum is left to the card, so it is still wrong here. */
  unfinished: boolean;
}

export interface CaptureSeen {
  id: string;
  node: string;
  interface: string;
  link_type: "ethernet" | "raw";
  started_at: number;
  packets: number;
  kept_bytes: number;
  missed: number;
  running: boolean;
  ended: string;
}
