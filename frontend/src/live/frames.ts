// Counter frames: MessagePack to something typed. Anything that is not a frame is null, never half a frame.

import { decode } from "@msgpack/msgpack";

export const FULL = 0;
export const DELTA = 1;
/** Number of a frame that comes from the history, before the live ones. */
export const HISTORY_NUMBER = 0;

export interface Frame {
  kind: typeof FULL | typeof DELTA;
  schemaVersion: number;
  number: number;
  sampledAt: number;
  values: number[];
}

export function decodeFrame(bytes: Uint8Array): Frame | null {
  let message: unknown;
  try {
    message = decode(bytes);
  } catch {
    return null;
  }
  if (!Array.isArray(message) || message.length !== 5) return null;
  const [kind, schemaVersion, number, sampledAt, values] = message as unknown[];
  if ((kind !== FULL && kind !== DELTA) || !Array.isArray(values)) return null;
  if (typeof schemaVersion !== "number" || typeof number !== "number" || typeof sampledAt !== "number") return null;
  return { kind, schemaVersion, number, sampledAt, values: values as number[] };
}
