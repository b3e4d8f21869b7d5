// The bar between two sides: dragged, moved with the arrow keys, put in the middle by a double click.

import { type KeyboardEvent, type PointerEvent, useRef } from "react";
import { PERCENT_MAX, PERCENT_MIN, type Way } from "./split";

const KEY_STEP_PERCENT = 5;

export function SplitDivider({
  way,
  percent,
  onChange,
}: {
  way: Exclude<Way, "one">;
  percent: number;
  onChange: (percent: number) => void;
}) {
  const dragging = useRef(false);

  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (!dragging.current) return;
    const room = event.currentTarget.parentElement?.getBoundingClientRect();
    if (!room) return;
    const part =
      way === "columns" ? (event.clientX - room.left) / room.width : (event.clientY - room.top) / room.height;
    onChange(Math.round(part * 1000) / 10);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const back = way === "columns" ? "ArrowLeft" : "ArrowUp";
    const on = way === "columns" ? "ArrowRight" : "ArrowDown";
    const to = {
      [back]: percent - KEY_STEP_PERCENT,
      [on]: percent + KEY_STEP_PERCENT,
      Home: PERCENT_MIN,
      End: PERCENT_MAX,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    onChange(to);
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: an <hr> cannot be moved
    <div
      className={`terminal-divider splitter ${way === "columns" ? "column" : "row"}`}
      role="separator"
      tabIndex={0}
      aria-label="Between the two sides of the terminals"
      aria-orientation={way === "columns" ? "vertical" : "horizontal"}
      aria-valuemin={PERCENT_MIN}
      aria-valuemax={PERCENT_MAX}
      aria-valuenow={Math.round(percent)}
      onKeyDown={onKeyDown}
      onDoubleClick={() => onChange(50)}
      onPointerDown={(event) => {
        dragging.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={drag}
      onPointerUp={() => {
        dragging.current = false;
      }}
      onPointerCancel={() => {
        dragging.current = false;
      }}
    />
  );
}
