// What can only be said of a TCP segment by those before it: its number counted from the flow's first, whether it was sent
// before, whether something is missing before it. Fed with the packets of one capture in their order.

/** One direction. */
interface Side {
  /** Sequence number that counts as 0. */
  base: number;
  /** The next that is expected; null after packets that were not seen. */
  next: number | null;
  acknowledged: number;
  window: number;
  /** Something before `next` has not been seen. */
  hole: boolean;
  /** Its window counts in units of 2 to this; null: its SYN was not seen, or did not say. */
  scale: number | null;
}

export interface Segment {
  from: string;
  to: string;
  sequence: number;
  acknowledged: number;
  window: number;
  length: number;
  syn: boolean;
  fin: boolean;
  rst: boolean;
}

const HALF = 0x8000_0000;
const WHOLE = 0x1_0000_0000;

export class Conversations {
  private readonly sides = new Map<string, Side>();

  /** Packets are missing here: nothing is concluded from what comes next being not what was expected. */
  skip(): void {
    for (const side of this.sides.values()) side.next = null;
  }

  /** The window scale option of a SYN. */
  scaled(s: Segment, scale: number): void {
    const side = this.sides.get(`${s.from} ${s.to}`);
    if (side && s.syn) side.scale = scale;
  }

  /** Numbers as people read them: from 0 at the start of what was seen, the window in bytes where its scale is known. */
  relative(s: Segment): { sequence: number; acknowledged: number; window: number } {
    const [mine, theirs] = [this.sides.get(`${s.from} ${s.to}`), this.sides.get(`${s.to} ${s.from}`)];
    const both = !s.syn && mine?.scale != null && theirs?.scale != null;
    return {
      window: both ? s.window * 2 ** (mine?.scale ?? 0) : s.window,
      sequence: mine ? after(s.sequence, mine.base) : s.sequence,
      acknowledged: theirs ? after(s.acknowledged, theirs.base) : s.acknowledged,
    };
  }

  /** What an engineer would want to be told of it; "" for nothing. */
  take(s: Segment): string {
    const key = `${s.from} ${s.to}`;
    const side = this.sides.get(key);
    const peer = this.sides.get(`${s.to} ${s.from}`);
    if (!side || (s.syn && s.sequence !== side.base)) {
      this.sides.set(key, started(s));
      if (!peer && !s.syn) this.sides.set(`${s.to} ${s.from}`, { ...started(s), base: s.acknowledged, next: null });
      return "";
    }
    const words = s.rst ? "" : wordsOf(s, side, peer);
    const end = (s.sequence + s.length + Number(s.syn) + Number(s.fin)) % WHOLE;
    if (side.next !== null && after(s.sequence, side.next) > 0) side.hole = true;
    if (side.next === null || after(end, side.next) > 0) side.next = end;
    side.acknowledged = s.acknowledged;
    side.window = s.window;
    return words;
  }
}

function started(s: Segment): Side {
  const next = (s.sequence + s.length + Number(s.syn) + Number(s.fin)) % WHOLE;
  return { base: s.sequence, next, acknowledged: s.acknowledged, window: s.window, hole: false, scale: null };
}

function wordsOf(s: Segment, side: Side, peer: Side | undefined): string {
  const { next } = side;
  if (next !== null && (s.length > 0 || s.syn || s.fin)) {
    const ahead = after(s.sequence, next);
    if (ahead > 0) return "a segment before is missing";
    if (ahead === -1 && s.length <= 1 && !s.syn && !s.fin) return "keep-alive";
    if (ahead < 0 && after(s.sequence + s.length, next) <= 0) return side.hole ? "late or sent again" : "sent again";
  }
  if (s.window === 0 && !s.syn && !s.fin) return "window is full";
  const again = s.length === 0 && !s.syn && !s.fin && s.acknowledged === side.acknowledged && s.window === side.window;
  if (again && peer?.next != null && after(peer.next, s.acknowledged) > 0) return "duplicate ACK";
  return "";
}

/** How far `a` is after `b` in numbers that begin again at 2^32. */
function after(a: number, b: number): number {
  const distance = (((a - b) % WHOLE) + WHOLE) % WHOLE;
  return distance >= HALF ? distance - WHOLE : distance;
}
