// How much the switch does by itself: its own counters beside what the CPU saw, as lines and as one sentence. Pure.

import type { CounterSchema, LabSwitch } from "../../api/types";
import type { Series } from "../counters/series";

/** The chip's counters of a user port (guest/dsa/README.md). */
const CHIP = { received: "hw_rx_frames", switched: "hw_switched", toCpu: "hw_to_cpu" };
const CHIP_KIND = "ethtool";

export interface Offload {
  /** Frames that came in at the user ports. */
  received: number[];
  /** Of these: left by another port. */
  switched: number[];
  /** Of these: went to the CPU; flooded ones are both. */
  toCpu: number[];
}

export function offloadCounters(schema: CounterSchema, sw: LabSwitch): Offload {
  const ports = new Set(sw.ports.map((port) => port.name));
  const of = (name: string, kind: string, object: (o: string) => boolean) =>
    schema.counters.flatMap((c, index) =>
      c.node === sw.node && c.kind === kind && c.name === name && object(c.object) ? [index] : [],
    );
  const chip = (name: string) => of(name, CHIP_KIND, (object) => ports.has(object));
  const seen = chip(CHIP.toCpu);
  return {
    received: chip(CHIP.received),
    switched: chip(CHIP.switched),
    toCpu: seen.length ? seen : of("rx_packets", "interface", (object) => object === sw.conduit),
  };
}

export function offloadSeries(offload: Offload): Series[] {
  const line = (key: string, label: string, colour: string, counters: number[], dashed = false): Series => ({
    key,
    label,
    name: label,
    colour,
    dashed,
    counters,
    derived: false,
  });
  return [
    line("switched", "switched in hardware", "offload-chip", offload.switched),
    line("cpu", "seen by the CPU", "offload-cpu", offload.toCpu, true),
  ].filter((series) => series.counters.length > 0);
}

/** `received` and `toCpu` are frames in the last `seconds`. */
export function shareSentence(received: number, toCpu: number, seconds: number): string {
  if (!Number.isFinite(received) || !Number.isFinite(toCpu)) return "";
  if (received < 1) return `No frame came in at a port for ${seconds} s.`;
  const never = Math.max(0, Math.round(received) - Math.round(toCpu));
  const all = Math.round(received);
  const percent = never < all ? Math.min((100 * never) / all, 99.9) : 100;
  const words = percent > 99 && percent < 100 ? percent.toFixed(1) : percent.toFixed(0);
  const frames = all.toLocaleString("en");
  if (never === 0) return `All ${frames} frames of ${seconds} s went to the CPU.`;
  return `${words} % of ${frames} frames never reached the CPU.`;
}
