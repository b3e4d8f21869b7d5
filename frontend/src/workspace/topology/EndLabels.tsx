// The labels at the ends of cables: an interface's name, what it receives, and in a colour that catches the eye what is lost
// there. Written into the page directly, four times a second: a packet never causes React to render.

import { useEffect, useRef } from "react";
import type { Counter } from "../../api/types";
import type { CounterStore } from "../../live/counters";
import { useLabSession } from "../context";
import { isLoss, placeOf } from "../counters/counter_words";
import { type Cable, interfaceOf } from "./cables";
import { type Anchor, type Point, shortRate } from "./layout";
import type { Sizes } from "./sizes";

const REFRESH_MS = 250;

interface RatesProps {
  cables: readonly Cable[];
  from: (end: string) => Anchor;
  shown: string;
  sizes: Sizes;
}

/** One label at each end of a link. */
export function Rates({ cables, from, shown, sizes }: RatesProps) {
  const session = useLabSession();
  const elements = useRef(new Map<string, HTMLElement>());
  const ends = cables.flatMap(({ ends: [a, b], colour }) => [
    { mine: a, other: b, colour },
    { mine: b, other: a, colour },
  ]);

  useEffect(() => {
    const timer = window.setInterval(() => {
      if (document.hidden) return;
      for (const [end, element] of elements.current) write(element, end, session.counters);
    }, REFRESH_MS);
    return () => window.clearInterval(timer);
  }, [session]);

  return ends.map(({ mine, other, colour }) => {
    const [start, end] = [from(mine), from(other)];
    const hangs = Math.abs(end.y - start.y) > Math.abs(end.x - start.x);
    const flat = colour !== "" || hangs || start.lane === true;
    const at = labelPlace(
      start,
      end,
      start.lane && !hangs ? sizes.laneLabelGap : flat ? sizes.flatLabelGap : sizes.labelGap,
      sizes,
    );
    return (
      <div
        key={mine}
        className={`link-label ${mine === shown ? "shown" : ""} ${flat ? "flat" : ""}`}
        data-label={mine}
        style={{ transform: `translate(${at.x}px, ${at.y}px) translate(-50%, -50%)` }}
        ref={(element) => {
          if (element) elements.current.set(mine, element);
          else elements.current.delete(mine);
        }}
      >
        <button
          type="button"
          className="mono end-name"
          title={`Capture packets at ${mine}`}
          aria-label={`Capture packets at ${mine}`}
          onClick={() => session.signals.send({ to: "counters", do: "capture", ends: [mine] })}
        >
          {interfaceOf(mine)}
        </button>
        <span className="rate">–</span>
        <span className="lost" hidden />
      </div>
    );
  });
}

function write(element: HTMLElement, end: string, counters: CounterStore): void {
  const rateOf = (wanted: (counter: Counter) => boolean): number => {
    const found = counters.find((c) => placeOf(c) === end && wanted(c));
    return found.length ? counters.rate(found, counters.now()) : Number.NaN;
  };
  const received = rateOf((c) => c.kind === "interface" && c.name === "rx_packets");
  const lost = rateOf(isLoss);
  const [, rate, loss] = element.children as unknown as [HTMLElement, HTMLElement, HTMLElement];
  setText(rate, shortRate(received));
  rate.classList.toggle("moving", received > 0);
  setText(loss, lost > 0 ? `✗ ${shortRate(lost)}` : "");
  loss.hidden = !(lost > 0);
  const title = lost > 0 ? `${shortRate(lost)} packets a second are lost at ${end}${reasonsAt(end, counters)}` : "";
  if (loss.title !== title) loss.title = title;
  element.classList.toggle("losing", lost > 0);
}

/** ": no route to forward it 12, ...": what is lost now and why, the most first. */
function reasonsAt(end: string, counters: CounterStore): string {
  const found = counters.find((c) => c.kind === "drop" && placeOf(c) === end && isLoss(c));
  const lost = found.map((index) => ({
    words: counters.schema?.counters[index]?.words ?? "",
    rate: counters.rate([index], counters.now()),
  }));
  const now = lost.filter(({ rate }) => rate > 0).sort((a, b) => b.rate - a.rate);
  return now.length ? `: ${now.map(({ words, rate }) => `${words} ${shortRate(rate)}`).join(", ")}` : "";
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** On the line, just outside of the node's box. */
function labelPlace(mine: Anchor, other: Anchor, gap: number, sizes: Sizes): Point {
  const dx = other.x - mine.x;
  const dy = other.y - mine.y;
  const length = Math.hypot(dx, dy) || 1;
  const toEdge = Math.min(
    dx === 0 ? Number.POSITIVE_INFINITY : (mine.width / 2 + gap + 2) / Math.abs(dx / length),
    dy === 0 ? Number.POSITIVE_INFINITY : (sizes.nodeHeight / 2 + gap) / Math.abs(dy / length),
  );
  const along = Math.min(toEdge, length * 0.4);
  return { x: mine.x + (dx / length) * along, y: mine.y + (dy / length) * along };
}
