// What a trace's stages, steps and ends are called, and the kernel's own name for each. Pure.

import type { TracedCall, TracedPacket, TracePoint, TraceProtocol, TraceSeen, TraceStage } from "../../api/types";

export const STAGES: Record<TraceStage, { words: string; about: string }> = {
  queue: { words: "queue", about: "From the device's queue to its driver: time in the queueing discipline" },
  wire: { words: "wire", about: "From the sender's driver until the receiver's stack begins, XDP programs included" },
  stack: {
    words: "stack",
    about: "From the receiver's stack until a program has read it, or the kernel has used it up",
  },
  forward: { words: "forward", about: "In a node that passes it on: from receiving it to the next device's queue" },
  whole: { words: "whole way", about: "From the first device's queue until it has been read" },
};

export const POINTS: Record<TracePoint, { words: string; kernel: string }> = {
  queued: { words: "handed to the device", kernel: "net:net_dev_queue" },
  qdisc_in: { words: "into the queueing discipline", kernel: "qdisc:qdisc_enqueue" },
  qdisc_out: { words: "out of the queueing discipline", kernel: "qdisc:qdisc_dequeue" },
  sent: { words: "given to the driver", kernel: "net:net_dev_start_xmit" },
  handed_over: { words: "came in, waits for the processor", kernel: "net:netif_rx" },
  received: { words: "the network stack begins", kernel: "net:netif_receive_skb" },
  copied: { words: "read by a program", kernel: "skb:skb_copy_datagram_iovec" },
  consumed: { words: "used up, its memory is free", kernel: "skb:consume_skb" },
  dropped: { words: "dropped", kernel: "skb:kfree_skb" },
  xdp_copied: { words: "copied, so that an XDP program may write to it", kernel: "skb:consume_skb" },
  xdp_taken: { words: "an XDP program sends it on: XDP_TX or XDP_REDIRECT", kernel: "skb:consume_skb" },
};

export const PROTOCOLS: Record<TraceProtocol, string> = {
  any: "any protocol",
  icmp: "ICMP",
  tcp: "TCP",
  udp: "UDP",
  arp: "ARP",
};

/** 950 ns, 1.02 µs, 33 ms, 4.2 s: three digits at most. */
export function duration(ns: number): string {
  const units = [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "µs"],
  ] as const;
  for (const [size, unit] of units) {
    if (ns < size * 0.9995) continue;
    const value = ns / size;
    return `${value >= 99.95 ? Math.round(value) : Number(value.toPrecision(3))} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

/** How a packet's way has ended, with the time that it took. */
export function endWords(packet: TracedPacket): string {
  const last = packet.steps.at(-1);
  const after = last && packet.steps.length > 1 ? ` after ${duration(last.after_ns)}` : "";
  if (packet.end === "dropped") return `dropped${after}`;
  if (packet.end === "copied") return `read by a program${after}`;
  if (packet.end === "consumed") return `used up by the kernel${after}`;
  if (packet.end === "taken") return `sent on by an XDP program${after}, and not received`;
  return "not seen any further";
}

/** When and where a call was. */
export function callWords(call: TracedCall): string {
  const left = call.left_out > 0 ? `, ${call.left_out} deeper or more left out` : "";
  return `call ${call.number}, +${duration(call.after_ns)}, CPU ${call.cpu}, ${call.task || "a task that is gone"}${left}`;
}

/** One line about what the trace does. */
export function stateWords(trace: TraceSeen): string {
  if (!trace.running) return `Ended: ${trace.ended}`;
  if (!trace.ready) return trace.mode === "functions" ? "Setting up ftrace …" : "Compiling …";
  if (trace.mode === "latency") return "Measuring";
  if (trace.mode === "functions") {
    const more = trace.calls_wanted - trace.calls.length;
    return `Waiting for ${more} more ${more === 1 ? "call" : "calls"}`;
  }
  const left = trace.packets_wanted - trace.packets.length;
  return left > 0 ? `Waiting for ${left} more ${left === 1 ? "packet" : "packets"}` : "Following the last of them";
}
