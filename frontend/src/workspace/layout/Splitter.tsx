// The border of two columns or panes: dragged, moved with the arrow keys, pressed (Enter, double click) to fold what is on its
// outer side. It measures its parent while it is dragged; the shares are the owner's.

import { type KeyboardEvent, type PointerEvent, useState } from "react";

const STEP = 2;
const LARGE_STEP = 10;

interface SplitterProps {
  label: string;
  /** "column": between things side by side. */
  kind: "column" | "row";
  /** 0 to 100: how much of the two neighbours the one before has. */
  value: number;
  /** Id of the element whose size it is about. */
  controls: string;
  inert: boolean;
  /** False: one of its sides is folded, there is nothing to move. */
  movable: boolean;
  /** By so many percent of the room that all share. */
  onMove: (delta: number) => void;
  onFold: () => void;
}

export function Splitter(props: SplitterProps) {
  const [dragging, setDragging] = useState(false);
  const across = props.kind === "column";

  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    if (event.button !== 0 || !props.movable) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setDragging(true);
  };
  const onPointerMove = (event: PointerEvent<HTMLElement>) => {
    const parent = event.currentTarget.parentElement;
    if (!dragging || !parent) return;
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    const away = across ? event.clientX - left - width / 2 : event.clientY - top - height / 2;
    props.onMove((100 * away) / (across ? parent.clientWidth : parent.clientHeight));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.shiftKey ? LARGE_STEP : STEP;
    const [back, forth] = across ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
    const delta = { [back as string]: -step, [forth as string]: step, Home: -100, End: 100 }[event.key];
    if (event.key === "Enter") props.onFold();
    else if (delta && props.movable) props.onMove(delta);
    else return;
    event.preventDefault();
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: an <hr> cannot be moved; this is the window splitter of the ARIA practices
    <div
      role="separator"
      className={`splitter ${props.kind}${dragging ? " dragging" : ""}${props.movable ? "" : " fixed"}`}
      tabIndex={0}
      inert={props.inert}
      aria-label={props.label}
      aria-orientation={across ? "vertical" : "horizontal"}
      aria-controls={props.controls}
      aria-valuenow={props.value}
      aria-valuemin={0}
      aria-valuemax={100}
      title={`${props.label}: drag, or arrow keys; Enter or double click folds`}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => setDragging(false)}
      onPointerCancel={() => setDragging(false)}
      onDoubleClick={props.onFold}
      onKeyDown={onKeyDown}
    />
  );
}
