// What the impairment dialog asks the host for: commands for the ends that change, from what was typed. Pure.

import type { Impairment } from "../../api/types";
import { impairmentOf, noImpairment } from "./cables";

export const FIELDS = ["delay_ms", "jitter_ms", "loss_percent", "rate_kbit"] as const;
export type FieldName = (typeof FIELDS)[number];
/** As typed: an empty field is 0. */
export type Typed = Record<FieldName, string>;

export function typedOf(i: Impairment): Typed {
  const text = (value: number) => (value ? String(value) : "");
  return {
    delay_ms: text(i.delay_ms),
    jitter_ms: text(i.jitter_ms),
    loss_percent: text(i.loss_percent),
    rate_kbit: text(i.rate_kbit),
  };
}

function wantedOf(end: string, typed: Typed): Impairment {
  return {
    ...noImpairment(end),
    delay_ms: Number(typed.delay_ms),
    jitter_ms: Number(typed.jitter_ms),
    loss_percent: Number(typed.loss_percent),
    rate_kbit: Math.round(Number(typed.rate_kbit)),
  };
}

export function sameEffect(a: Impairment, b: Impairment): boolean {
  return FIELDS.every((name) => a[name] === b[name]);
}

/** Only ends that are to change. */
export function changesOf(live: readonly Impairment[], typed: Readonly<Record<string, Typed>>): Impairment[] {
  return Object.entries(typed)
    .map(([end, words]) => wantedOf(end, words))
    .filter((wanted) => !sameEffect(wanted, impairmentOf(live, `${wanted.node}:${wanted.interface}`)));
}

export function clearingOf(live: readonly Impairment[], ends: readonly string[]): Impairment[] {
  return ends.map(noImpairment).filter((none, at) => !sameEffect(none, impairmentOf(live, ends[at] as string)));
}
