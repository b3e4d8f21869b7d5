// How times, delays and sizes of packets are written. Pure.

import { nsBetween, type SeenPacket } from "../../live/packets";

export type Clock = "first" | "previous" | "absolute";

export const CLOCK_WORDS: Readonly<Record<Clock, string>> = {
  first: "Since the first",
  previous: "Since the previous",
  absolute: "Time of day",
};

/** Seconds with microseconds. */
export function secondsWords(ns: number): string {
  return (ns / 1e9).toFixed(6);
}

/** "05:36:49.123456" of the place where it is read. */
export function timeOfDay(packet: SeenPacket, digits: 6 | 9 = 6): string {
  const clock = new Date(packet.atS * 1000).toLocaleTimeString("en-GB");
  return `${clock}.${String(packet.atNs).padStart(9, "0").slice(0, digits)}`;
}

export function clockWords(clock: Clock, packet: SeenPacket, first: SeenPacket, previous: SeenPacket | null): string {
  if (clock === "absolute") return timeOfDay(packet);
  return secondsWords(nsBetween(clock === "first" ? first : (previous ?? packet), packet));
}

/** "4.2 µs", "20.1 ms", "1.20 s". */
export function delayWords(ns: number): string {
  const [size, sign] = [Math.abs(ns), ns < 0 ? "−" : ""];
  if (size < 1e6) return `${sign}${(size / 1e3).toFixed(size < 1e5 ? 1 : 0)} µs`;
  if (size < 1e9) return `${sign}${(size / 1e6).toFixed(size < 1e8 ? 1 : 0)} ms`;
  return `${sign}${(size / 1e9).toFixed(2)} s`;
}

/** "3.1 KiB", "2.0 MiB". */
export function sizeWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1 << 20) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

/** "1:05". */
export function minutesWords(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
