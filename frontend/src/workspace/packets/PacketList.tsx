// The packets of one interface, line by line as in every analyser: time, ends, protocol, what it says.

import type { ReactNode } from "react";
import type { SeenPacket } from "../../live/packets";
import { CELL } from "./grid_roles";
import type { Line, PacketLine } from "./lines";
import { type Clock, clockWords } from "./times";
import { type GridColumn, VirtualGrid } from "./VirtualGrid";

const COLUMNS: readonly GridColumn[] = [
  { id: "number", words: "No." },
  { id: "time", words: "Time" },
  { id: "way", words: "Direction", hidden: true },
  { id: "source", words: "Source" },
  { id: "destination", words: "Destination" },
  { id: "protocol", words: "Protocol" },
  { id: "length", words: "Bytes" },
  { id: "info", words: "Info" },
];

interface PacketListProps {
  label: string;
  lines: readonly Line[];
  first: SeenPacket | undefined;
  clock: Clock;
  colourOf: (flow: string) => string;
  /** Number of the chosen packet. */
  selected: number | null;
  onSelect: (packet: SeenPacket | null) => void;
  following: boolean;
  onFollow: (following: boolean) => void;
  empty: ReactNode;
}

const keyOf = (line: Line) => (line.kind === "packet" ? `p${line.packet.number}` : `h${line.after}`);

export function PacketList(props: PacketListProps) {
  const { lines, first } = props;
  const before = (index: number): SeenPacket | null => {
    for (let i = index - 1; i >= 0; i--) {
      const line = lines[i];
      if (line?.kind === "packet") return line.packet;
    }
    return null;
  };
  return (
    <VirtualGrid
      label={props.label}
      className={`one-end clock-${props.clock}`}
      columns={COLUMNS}
      rows={lines}
      keyOf={keyOf}
      rowClass={(line) => (line.kind === "hole" ? "hole" : `${props.colourOf(line.d.flow)} ${toneOf(line)}`)}
      selected={lines.findIndex((line) => line.kind === "packet" && line.packet.number === props.selected)}
      onSelect={(index) => {
        const line = lines[index];
        if (line?.kind === "packet") props.onSelect(line.packet);
      }}
      onEscape={() => props.onSelect(null)}
      following={props.following}
      onFollow={props.onFollow}
      empty={props.empty}
      cells={(line, index) =>
        line.kind === "hole" ? (
          <span {...CELL} className="cell-hole">
            {line.count.toLocaleString("en")} more came than could be shown
          </span>
        ) : (
          <Cells line={line} time={clockWords(props.clock, line.packet, first ?? line.packet, before(index))} />
        )
      }
    />
  );
}

function Cells({ line: { packet, d }, time }: { line: PacketLine; time: string }) {
  return (
    <>
      <span {...CELL} className="cell-number">
        {packet.number}
      </span>
      <span {...CELL} className="cell-time">
        {time}
      </span>
      <Way outgoing={packet.outgoing} />
      <span {...CELL} className="cell-source">
        {d.source}
      </span>
      <span {...CELL} className="cell-destination">
        {d.destination}
      </span>
      <span {...CELL} className="cell-protocol">
        {d.protocol}
      </span>
      <span {...CELL} className="cell-length">
        {packet.bytes}
      </span>
      <span {...CELL} className="cell-info" title={d.info}>
        {d.info}
      </span>
    </>
  );
}

function Way({ outgoing }: { outgoing: boolean }) {
  const words = outgoing ? "sent" : "received";
  return (
    <span {...CELL} className="cell-way" title={words}>
      <span aria-hidden="true">{outgoing ? "▲" : "▼"}</span>
      <span className="visually-hidden">{words}</span>
    </span>
  );
}

/** Packets that say that something went wrong. */
export function toneOf({ d }: PacketLine): string {
  const has = (key: string) => Boolean(d.values.get(key)?.[0]);
  if (has("tcp.flags.rst") || has("tcp.analysis")) return "trouble";
  const icmp = d.values.get("icmp.type")?.[0] ?? -1;
  const icmpv6 = d.values.get("icmpv6.type")?.[0] ?? -1;
  return [3, 5, 11, 12].includes(Number(icmp)) || [1, 2, 3, 4].includes(Number(icmpv6)) ? "trouble" : "";
}
