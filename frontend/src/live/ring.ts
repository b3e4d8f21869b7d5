// A ring of samples: time and the absolute values of all counters at that time. It keeps the newest `capacity` rows and
// answers "what was counter i at time t", where a counter keeps its value until the next sample says otherwise
// (a lab in which nothing moves sends nothing), or has gone steadily from one to the next (`steady`: every tick of the host's
// sampler is a row, however far apart). A row of NaN marks a time about which nothing is known.

/** So long after the newest row of a steady ring its last rate is shown still. */
const STEADY_FOR_S = 5;

export class SampleRing {
  readonly width: number;
  readonly capacity: number;
  readonly steady: boolean;
  private readonly times: Float64Array;
  private readonly values: Float64Array;
  private head = 0; // where the next row goes
  private count = 0;

  constructor(width: number, capacity: number, steady = false) {
    this.width = width;
    this.steady = steady;
    this.capacity = capacity;
    this.times = new Float64Array(capacity);
    this.values = new Float64Array(width * capacity);
  }

  get length(): number {
    return this.count;
  }

  get newestTime(): number {
    return this.count === 0 ? Number.NaN : this.timeAt(this.count - 1);
  }

  /** Rows come in order of time; one that is not newer than the newest is ignored. */
  push(time: number, values: ArrayLike<number>): boolean {
    if (this.count > 0 && !(time > this.newestTime)) return false;
    this.times[this.head] = time;
    const start = this.head * this.width;
    for (let i = 0; i < this.width; i++) this.values[start + i] = values[i] ?? Number.NaN;
    this.head = (this.head + 1) % this.capacity;
    if (this.count < this.capacity) this.count += 1;
    return true;
  }

  /** From `time` on nothing is known, until the next row. */
  pushUnknown(time: number): void {
    this.push(time, []);
  }

  /** Row 0 is the oldest. */
  timeAt(row: number): number {
    return this.times[this.slot(row)] as number;
  }

  valueAt(row: number, counter: number): number {
    return this.values[this.slot(row) * this.width + counter] as number;
  }

  /** The row that holds at `time`: the last one not after it; -1 before the first. */
  rowAt(time: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.timeAt(middle) <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** As it is now; what is pushed afterwards is not in it. */
  copy(): SampleRing {
    const made = new SampleRing(this.width, this.capacity, this.steady);
    made.times.set(this.times);
    made.values.set(this.values);
    made.head = this.head;
    made.count = this.count;
    return made;
  }

  /** On the straight line between the rows around `time`, not after the newest. */
  steadyAt(time: number, counter: number): number {
    const row = this.rowAt(time);
    if (row < 0) return Number.NaN;
    const value = this.valueAt(row, counter);
    if (row === this.count - 1) return value;
    const [from, to] = [this.timeAt(row), this.timeAt(row + 1)];
    const next = this.valueAt(row + 1, counter);
    return Number.isNaN(next) ? value : value + ((next - value) * (time - from)) / (to - from);
  }

  private slot(row: number): number {
    return (this.head - this.count + row + this.capacity) % this.capacity;
  }
}

/** Change per second of the sum of `counters` in the `windowS` before `time`; NaN when none of them is known there. */
export function rateAt(ring: SampleRing, counters: readonly number[], time: number, windowS: number): number {
  if (ring.steady) return steadyRateAt(ring, counters, time, windowS);
  const now = ring.rowAt(time);
  const before = ring.rowAt(time - windowS);
  if (now < 0 || before < 0) return Number.NaN;
  let sum = Number.NaN;
  for (const counter of counters) {
    const change = ring.valueAt(now, counter) - ring.valueAt(before, counter);
    if (Number.isNaN(change)) continue; // this one came later than the others
    // a node that was made anew counts from 0 again: no packets came back
    sum = (Number.isNaN(sum) ? 0 : sum) + Math.max(0, change);
  }
  return sum / windowS;
}

function steadyRateAt(ring: SampleRing, counters: readonly number[], time: number, windowS: number): number {
  if (time > ring.newestTime + STEADY_FOR_S) return Number.NaN;
  const now = Math.min(time, ring.newestTime);
  let sum = Number.NaN;
  for (const counter of counters) {
    const change = ring.steadyAt(now, counter) - ring.steadyAt(now - windowS, counter);
    if (Number.isNaN(change)) continue;
    sum = (Number.isNaN(sum) ? 0 : sum) + Math.max(0, change);
  }
  return sum / windowS;
}

/** How long a reading may take to come before its counter is taken for quiet. */
const LATE_S = 1.8;
const READ_EVERY_S = 1;

/**
 * For counters that are read once a second and now and then later: how fast they changed from one reading to the next. A window
 * of a second would at times hold no reading, at times two.
 */
export function readRateAt(ring: SampleRing, counters: readonly number[], time: number): number {
  const now = ring.rowAt(time);
  if (now < 1) return Number.NaN;
  let sum = Number.NaN;
  for (const counter of counters) {
    if (Number.isNaN(ring.valueAt(now, counter))) continue;
    sum = (Number.isNaN(sum) ? 0 : sum) + oneReadRate(ring, counter, now, time);
  }
  return sum;
}

function oneReadRate(ring: SampleRing, counter: number, now: number, time: number): number {
  const last = changeBefore(ring, counter, now, time - LATE_S);
  if (last < 0) return 0;
  const readAt = ring.timeAt(last);
  const before = changeBefore(ring, counter, last - 1, readAt - LATE_S);
  const tookS = before < 0 ? READ_EVERY_S : readAt - ring.timeAt(before);
  return Math.max(0, ring.valueAt(last, counter) - ring.valueAt(last - 1, counter)) / tookS;
}

/** The newest row up to `row`, and after `since`, in which the counter is another than in the row before; -1 for none. */
function changeBefore(ring: SampleRing, counter: number, row: number, since: number): number {
  for (let at = row; at > 0 && ring.timeAt(at) > since; at -= 1) {
    const change = ring.valueAt(at, counter) - ring.valueAt(at - 1, counter);
    if (change !== 0 && !Number.isNaN(change)) return at;
  }
  return -1;
}
