// A ring of samples: time and the absolute values of all counters at that time. It keeps the newest `capacity` rows and
// answers "what was counter i at time t", where a counter keeps its value until the next sample says otherwise
// (a lab in which nothing moves sends nothing). A row of NaN marks a time about which nothing is known.

export class SampleRing {
  readonly width: number;
  readonly capacity: number;
  private readonly times: Float64Array;
  private readonly values: Float64Array;
  private head = 0; // where the next row goes
  private count = 0;

  constructor(width: number, capacity: number) {
    this.width = width;
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

  private slot(row: number): number {
    return (this.head - this.count + row + this.capacity) % this.capacity;
  }
}

/** Change per second of the sum of `counters` in the `windowS` before `time`; NaN when none of them is known there. */
export function rateAt(ring: SampleRing, counters: readonly number[], time: number, windowS: number): number {
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
