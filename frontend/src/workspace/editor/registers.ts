// What the verifier knew of the registers on each source line, read from its own log (the text of VerifierLine, which the
// host has folded onto lines). Pure. A line that was walked several times keeps the last walk: the one nearest to the end.

import type { VerifierLine } from "../../api/types";

export interface LineState {
  /** Register or stack slot -> what it holds after the line, as the verifier writes it. */
  held: ReadonlyMap<string, string>;
  /** Those that the line has set or narrowed. */
  changed: ReadonlySet<string>;
  /** How often the verifier has come along here. */
  walks: number;
}

/** "5: R1=ctx()", "from 5 to 15: R0=2", "R6=...", "frame1: R1=...": all registers anew. */
const WHOLE = /^(?:\d+: |from \d+ to \d+(?: \(speculative execution\))?: |\s*)(?:frame\d+: *)?(?=R\d+(?:_[rwD]+)?=)/;
/** "1: (61) r2 = *(u32 *)(r1 +4)    ; R1=ctx() R2=pkt_end()": what this instruction has touched. */
const INSTRUCTION = /^\d+: \([0-9a-f]{2}\) [^;]*(?:;\s*(?:frame\d+: *)?(?=R\d|fp-))?/;
const ENTRY = /^(R\d+|fp-\d+)(?:_[rwD]+)?=/;

export function registersByLine(log: readonly VerifierLine[]): Map<number, LineState> {
  const lines = new Map<number, LineState>();
  let held = new Map<string, string>();
  for (const { line, text } of log) {
    const changed = new Set<string>();
    for (const row of text.split("\n")) {
      const whole = WHOLE.exec(row);
      const rest = row.slice((whole ?? INSTRUCTION.exec(row))?.[0].length ?? row.length);
      const entries = readEntries(rest);
      if (whole && entries.length > 0) held = new Map(entries);
      for (const [name, value] of entries) {
        if (!whole && held.get(name) !== value) changed.add(name);
        held.set(name, value);
      }
    }
    if (line > 0 && held.size > 0) {
      lines.set(line, { held: new Map(held), changed, walks: (lines.get(line)?.walks ?? 0) + 1 });
    }
  }
  return lines;
}

/** "R1=pkt(r=14) R3=scalar(var_off=(0x0; 0xff)) fp-8=mmmm????": a value ends at a space outside of all brackets. */
function readEntries(text: string): [string, string][] {
  const entries: [string, string][] = [];
  let rest = text;
  for (;;) {
    const found = ENTRY.exec(rest);
    if (!found?.[1]) return entries;
    const from = found[0].length;
    const to = endOfValue(rest, from);
    entries.push([found[1], rest.slice(from, to)]);
    rest = rest.slice(to).trimStart();
  }
}

function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "(") depth += 1;
    else if (text[at] === ")") depth -= 1;
    else if (text[at] === " " && depth === 0) return at;
  }
  return text.length;
}
