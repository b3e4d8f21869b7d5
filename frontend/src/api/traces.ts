// What is told of traces, as netlab/wire/traces.py defines it. Part of types.ts.

export type TraceMode = "latency" | "way" | "functions";
export type TraceProtocol = "any" | "icmp" | "tcp" | "udp" | "arp";
export type TraceStage = "queue" | "wire" | "stack" | "forward" | "whole";
export type TracePoint =
  | "queued"
  | "qdisc_in"
  | "qdisc_out"
  | "sent"
  | "handed_over"
  | "received"
  | "copied"
  | "consumed"
  | "dropped"
  | "xdp_copied"
  | "xdp_taken";

/** How many packets took how long for one stage at one node: wire/traces.py. */
export interface LatencyCell {
  node: string;
  stage: TraceStage;
  /** `counts[0]` took from 2^(first-1) ns to below 2^first. */
  first: number;
  counts: number[];
}

export interface TraceStep {
  /** After the packet's first step. */
  after_ns: number;
  point: TracePoint;
  node: string;
  device: string;
  bytes: number;
  /** Of a drop. */
  reason: string;
  words: string;
  place: string;
}

export interface TracedPacket {
  number: number;
  what: string;
  bytes: number;
  steps: TraceStep[];
  /** "": it goes on, or nothing tells of it any more. */
  end: "" | "copied" | "consumed" | "dropped" | "taken";
}

/** What is asked for; `node` null: any. */
export interface TraceWish {
  mode: TraceMode;
  node: string | null;
  protocol: TraceProtocol;
  packets: number;
  /** Of mode functions: where a call graph starts, how deep it goes, how many calls are followed. */
  function: string;
  depth: number;
  calls: number;
}

/** One call of a function in the run's own kernel: wire/traces.py. */
export interface TracedCall {
  number: number;
  /** After the first one began. */
  after_ns: number;
  took_ns: number;
  cpu: number;
  task: string;
  /** Four numbers of each function in the order of the calls: depth, which of the trace's `functions`, ns (0: its return was not
   * seen), context (0 a process, 1 a softirq, 2 an interrupt). */
  frames: number[];
  left_out: number;
}

export interface TraceSeen {
  id: string;
  mode: TraceMode;
  /** "": any. */
  node: string;
  protocol: TraceProtocol;
  packets_wanted: number;
  started_at: number;
  /** Attached; before, it is being compiled. */
  ready: boolean;
  running: boolean;
  ended: string;
  problem: string;
  missing: string[];
  cells: LatencyCell[];
  packets: TracedPacket[];
  function: string;
  depth: number;
  calls_wanted: number;
  calls: TracedCall[];
  /** Names of all functions in `calls`. */
  functions: string[];
  emulated: boolean;
  /** How often more came than could be kept. */
  lost: number;
}
