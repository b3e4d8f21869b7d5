// Finding a command by a few of its letters: "rn cl" finds "Reset node client". Pure.

export interface Match {
  score: number;
  /** Of the text, what was typed; for drawing it bold. */
  at: readonly number[];
}

const WORD_START = 8;
const CONSECUTIVE = 5;
const EXACT_CASE = 0.5;
/** For each letter passed over, so that "stop" is before "step … open" for "stop". */
const GAP = 0.15;
const WHOLE_WORDS = 20;

/** Null: the text lacks a letter of the query, or has them in another order. Words of the query may stand in any order. */
export function match(query: string, text: string): Match | null {
  const words = query.trim().split(/\s+/).filter(Boolean);
  const at = new Set<number>();
  let score = 0;
  for (const word of words) {
    const found = matchWord(word, text);
    if (!found) return null;
    score += found.score;
    for (const index of found.at) at.add(index);
  }
  return { score, at: [...at].sort((a, b) => a - b) };
}

function matchWord(word: string, text: string): Match | null {
  const low = text.toLowerCase();
  const wanted = word.toLowerCase();
  const whole = wholeAt(low, wanted);
  if (whole >= 0) {
    const start = isStart(text, whole) ? WORD_START * wanted.length : 0;
    return { score: WHOLE_WORDS + start + CONSECUTIVE * wanted.length - GAP * whole, at: range(whole, wanted.length) };
  }
  let best: Match | null = null;
  for (let first = low.indexOf(wanted[0] as string); first >= 0; first = low.indexOf(wanted[0] as string, first + 1)) {
    const found = from(first, wanted, word, low, text);
    if (found && (!best || found.score > best.score)) best = found;
  }
  return best;
}

/** Where it stands as it is, a word's beginning before any other place. */
function wholeAt(low: string, wanted: string): number {
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, at + 1)) if (isStart(low, at)) return at;
  return low.indexOf(wanted);
}

function from(first: number, wanted: string, word: string, low: string, text: string): Match | null {
  const at: number[] = [];
  let score = 0;
  for (let i = 0, place = first; i < wanted.length; i++, place++) {
    const next = i === 0 ? first : nextPlace(low, wanted[i] as string, place);
    if (next < 0) return null;
    score += isStart(text, next) ? WORD_START : 0;
    score += i > 0 && next === place ? CONSECUTIVE : -GAP * (next - place);
    score += text[next] === word[i] ? EXACT_CASE : 0;
    at.push(next);
    place = next;
  }
  return { score, at };
}

/** The letter right here, else at a word's beginning, else anywhere further on. */
function nextPlace(low: string, letter: string, place: number): number {
  if (low[place] === letter) return place;
  for (let at = low.indexOf(letter, place); at >= 0; at = low.indexOf(letter, at + 1)) if (isStart(low, at)) return at;
  return low.indexOf(letter, place);
}

function isStart(text: string, at: number): boolean {
  return at === 0 || /[^\p{L}\p{N}]/u.test(text[at - 1] as string);
}

function range(start: number, length: number): number[] {
  return Array.from({ length }, (_, i) => start + i);
}
