// Both ends of a link side by side: a row is a packet, left as the first end saw it, right as the second did; between them which
// way it went and how long it took, or that it never came.

import type { ReactNode } from "react";
import type { SeenPacket } from "../../live/packets";
import { CELL } from "./grid_roles";
import type { PacketLine } from "./lines";
import { toneOf } from "./PacketList";
import { chosenOf, type Pair } from "./pairs";
import { type Clock, clockWords, delayWords } from "./times";
import { VirtualGrid } from "./VirtualGrid";

interface PairListProps {
  ends: readonly [string, string];
  pairs: readonly Pair[];
  first: SeenPacket | undefined;
  clock: Clock;
  colourOf: (flow: string) => string;
  selected: Pair | null;
  onSelect: (pair: Pair | null) => void;
  following: boolean;
  onFollow: (following: boolean) => void;
  empty: ReactNode;
}

const keyOf = (pair: Pair) => `${pair.a?.packet.number ?? ""} ${pair.b?.packet.number ?? ""}`;
const FATES = {
  lost: "not seen at the other end",
  waiting: "on its way",
  unknown: "not captured there",
  part: "part of a larger one",
  both: "",
} as const;

export function PairList(props: PairListProps) {
  const { pairs, ends, first, clock } = props;
  const columns = [
    { id: "time-a", words: ends[0] },
    { id: "a", words: `↔ ${ends[1]}` },
    { id: "delay", words: "delay" },
    { id: "time-b", words: ends[1] },
    { id: "b", words: `Packet at ${ends[1]}`, hidden: true },
  ];
  const time = (line: PacketLine, index: number, side: "a" | "b") => {
    let before: SeenPacket | null = null;
    for (let i = index - 1; i >= 0 && !before && clock === "previous"; i--) before = pairs[i]?.[side]?.packet ?? null;
    return clockWords(clock, line.packet, first ?? line.packet, before);
  };
  return (
    <VirtualGrid
      label={`Packets at ${ends[0]} and ${ends[1]}`}
      className={`two-ends clock-${clock}`}
      columns={columns}
      rows={pairs}
      keyOf={keyOf}
      rowClass={(pair) => {
        const line = chosenOf(pair);
        return `${props.colourOf(line.d.flow)} ${toneOf(line)} ${pair.fate} ${pair.a ? "" : "only-b"}`;
      }}
      selected={props.selected ? pairs.findIndex((pair) => samePair(pair, props.selected as Pair)) : -1}
      onSelect={(index) => props.onSelect(pairs[index] ?? null)}
      onEscape={() => props.onSelect(null)}
      following={props.following}
      onFollow={props.onFollow}
      empty={props.empty}
      cells={(pair, index) => (
        <>
          <End line={pair.a} fate={pair.fate} side="a" time={pair.a && time(pair.a, index, "a")} />
          <Delay pair={pair} />
          <End line={pair.b} fate={pair.fate} side="b" time={pair.b && time(pair.b, index, "b")} />
        </>
      )}
    />
  );
}

/** Its other half may have come meanwhile. */
export function samePair(one: Pair, other: Pair): boolean {
  const same = (x: PacketLine | null, y: PacketLine | null) => x !== null && x.packet.number === y?.packet.number;
  return same(one.a, other.a) || same(one.b, other.b);
}

interface EndProps {
  line: PacketLine | null;
  fate: Pair["fate"];
  side: "a" | "b";
  time: string | null;
}

function End({ line, fate, side, time }: EndProps) {
  if (!line) {
    return (
      <>
        <span {...CELL} className={`cell-time-${side}`} />
        <span {...CELL} className={`cell-${side} fate`}>
          {FATES[fate]}
        </span>
      </>
    );
  }
  return (
    <>
      <span {...CELL} className={`cell-time-${side}`}>
        {time}
      </span>
      <span {...CELL} className={`cell-${side}`} title={line.d.info}>
        <b>{line.d.protocol}</b> {line.d.info}
      </span>
    </>
  );
}

function Delay({ pair }: { pair: Pair }) {
  const toB = pair.a ? pair.a.packet.outgoing : !pair.b?.packet.outgoing;
  const words = `to the ${toB ? "right" : "left"}`;
  const lost = pair.fate === "lost";
  return (
    <span {...CELL} className={toB ? "cell-delay to-b" : "cell-delay to-a"}>
      {!toB && <span aria-hidden="true">{lost ? "✗" : "◀"}</span>}
      <span>{pair.delayNs === null ? (lost ? "lost" : "") : delayWords(pair.delayNs)}</span>
      {toB && <span aria-hidden="true">{lost ? "✗" : "▶"}</span>}
      <span className="visually-hidden">{words}</span>
    </span>
  );
}
