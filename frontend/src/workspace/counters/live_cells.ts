// Numbers in a table that change without React: a cell says which counters it shows, and is written four times a second.

import { useEffect, useRef } from "react";
import type { CounterStore } from "../../live/counters";
import { useLabSession } from "../context";
import { shortRate } from "../topology/layout";
import { shortTotal, wholeNumber } from "./counter_words";

const REFRESH_MS = 250;

export interface LiveCell {
  counter: number;
  /** Its change per second, or the counter as it is. */
  shows: "rate" | "total";
}

/** A function that a cell's `ref` is made with. Cells that move have the class `moving`. */
export function useLiveCells(): (cell: LiveCell) => (element: HTMLElement | null) => void {
  const { counters } = useLabSession();
  const cells = useRef(new Map<HTMLElement, LiveCell>());
  useEffect(() => {
    const write = () => {
      if (!document.hidden) for (const [element, cell] of cells.current) writeCell(element, cell, counters);
    };
    write();
    const timer = window.setInterval(write, REFRESH_MS);
    return () => window.clearInterval(timer);
  }, [counters]);
  return (cell) => (element) => {
    if (!element) return;
    cells.current.set(element, cell);
    writeCell(element, cell, counters);
    return () => cells.current.delete(element);
  };
}

function writeCell(element: HTMLElement, { counter, shows }: LiveCell, counters: CounterStore): void {
  const rate = counters.rate([counter], counters.now());
  const total = counters.latest(counter);
  const unit = counters.schema?.counters[counter]?.unit === "s" ? " s" : "";
  const text = shows === "rate" ? shortRate(rate) : `${shortTotal(total)}${unit}`;
  if (element.textContent !== text) element.textContent = text;
  if (shows === "total") element.title = wholeNumber(total);
  element.classList.toggle("moving", rate > 0);
}
