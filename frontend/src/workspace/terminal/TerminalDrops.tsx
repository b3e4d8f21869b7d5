// Where a tab that is being dragged may be let go: the other side, or, without a split, the right or the lower half.

import { type DragEvent, useState } from "react";
import { type Arrangement, type Side, sideOf, type Way } from "./split";
import { DRAG_TYPE } from "./TerminalBar";

interface Zone {
  place: "first" | "second" | "right" | "below";
  words: string;
  side: Side;
  way?: Way;
}

interface TerminalDropsProps {
  now: Arrangement;
  title: string;
  onDrop: (side: Side, way?: Way) => void;
}

export function TerminalDrops({ now, title, onDrop }: TerminalDropsProps) {
  const [over, setOver] = useState("");
  return zonesFor(now, title).map((zone) => (
    // biome-ignore lint/a11y/noStaticElementInteractions: for the pointer; the tab's menu does the same for the keyboard
    <div
      key={zone.place}
      className={`terminal-drop ${zone.place}${over === zone.place ? " over" : ""}`}
      onDragOver={(event: DragEvent) => {
        if (!event.dataTransfer.types.includes(DRAG_TYPE)) return;
        event.preventDefault();
        setOver(zone.place);
      }}
      onDragLeave={() => setOver("")}
      onDrop={(event) => {
        event.preventDefault();
        onDrop(zone.side, zone.way);
      }}
    >
      <span>{zone.words}</span>
    </div>
  ));
}

function zonesFor(now: Arrangement, title: string): Zone[] {
  if (now.way !== "one") {
    const to: Side = sideOf(now, title) === 0 ? 1 : 0;
    return [{ place: to === 0 ? "first" : "second", words: `${title} to this side`, side: to }];
  }
  if (now.sides[0].length < 2) return []; // one side would be empty
  return [
    { place: "right", words: "Side by side", side: 1, way: "columns" },
    { place: "below", words: "One above the other", side: 1, way: "rows" },
  ];
}
