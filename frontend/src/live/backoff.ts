// How long to wait before the next try to connect. Full jitter, so that a room of browsers does not return as one wave.

const FIRST_MS = 250;
const LONGEST_MS = 8_000;

/** `attempt` counts failures in a row, from 0; `random` gives 0..1. The first try comes within half a second. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling * (0.5 + random() * 0.5));
}
