// Internet checksums (RFC 1071), and what to say of one: right, wrong, left to the card, or not to be told. Pure.

import type { Dissection } from "./dissection";

/** The folded sum of 16-bit words, not complemented. */
export function sumOf(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += (bytes[i] as number) * 0x100 + (bytes[i + 1] as number);
  if (bytes.length % 2) sum += (bytes[bytes.length - 1] as number) * 0x100;
  return fold(sum);
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

/** What a transport's checksum covers besides itself: addresses, protocol, length. */
export interface Pseudo {
  sum: number;
  /** Bytes of header and payload as IP says. */
  length: number;
}

export function pseudoHeader(addresses: Uint8Array, protocol: number, length: number): Pseudo {
  return { sum: fold(sumOf(addresses) + protocol + length), length };
}

/** `from`: where the covered bytes begin; the checksum itself is among them. */
export function checksumWords(d: Dissection, value: number, from: number, pseudo: Pseudo | null): string {
  const told = `0x${value.toString(16).padStart(4, "0")}`;
  // the kernel leaves the sum of the pseudo header there for the card to go on from: linux/skbuff.h, CHECKSUM_PARTIAL
  if (d.unfinished || (pseudo && value !== 0 && value === pseudo.sum)) return `${told}, left to the card`;
  if (!pseudo || from + pseudo.length > d.bytes.length) return `${told}, not verified: cut`;
  return verdict(told, sumOf(d.bytes.subarray(from, from + pseudo.length), pseudo.sum));
}

export function verdict(told: string, sum: number): string {
  return sum === 0xffff ? `${told}, right` : `${told}, wrong`;
}
