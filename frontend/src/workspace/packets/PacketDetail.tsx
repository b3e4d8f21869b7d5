// One packet taken apart: its layers as a tree, its bytes beside it; what one points at is marked in the other.

import "./packet_detail.css";
import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import type { Circumstances } from "../../live/decode/decode";
import { decode } from "../../live/decode/decode";
import type { Field, Layer } from "../../live/decode/dissection";
import type { SeenPacket } from "../../live/packets";
import { HexView, type Mark } from "./HexView";
import { timeOfDay } from "./times";

interface Item {
  layer: number;
  /** -1: the layer itself. */
  field: number;
  mark: Mark;
}

/** Which layers are folded, by their id: stays from one packet to the next. */
const folded = new Set<string>(["frame", "eth"]);

export function PacketDetail(props: {
  packet: SeenPacket;
  where: Circumstances;
  at: string;
  actions: ReactNode;
  onClose: () => void;
}) {
  const { packet, where } = props;
  const layers = useMemo(
    () => [frameLayer(packet, props.at), ...decode(packet, where, true).layers],
    [packet, where, props.at],
  );
  const [, redraw] = useState(0);
  const [active, setActive] = useState<Item | null>(null);
  const [pointed, setPointed] = useState<Mark | null>(null);
  const tree = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another packet, nothing is marked in it
  useEffect(() => {
    setActive(null);
    setPointed(null);
  }, [packet]);

  const items = layers.flatMap((layer, index): Item[] => [
    { layer: index, field: -1, mark: [layer.from, layer.to] },
    ...(folded.has(layer.id)
      ? []
      : layer.fields.map(([, , from, to], at): Item => ({ layer: index, field: at, mark: [from, to] }))),
  ]);
  const at = items.findIndex((item) => item.layer === active?.layer && item.field === active?.field);
  const choose = (item: Item | undefined) => {
    if (!item) return;
    setActive(item);
    document.getElementById(itemId(item.layer, item.field))?.scrollIntoView({ block: "nearest" });
  };
  const fold = (layer: Layer, wish: boolean) => {
    if (wish) folded.add(layer.id);
    else folded.delete(layer.id);
    redraw((n) => n + 1);
  };
  const onKey = (event: KeyboardEvent) => {
    const layer = layers[active?.layer ?? -1];
    const to = { ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) choose(items[Math.min(to, items.length - 1)]);
    else if (event.key === "ArrowRight" && layer) fold(layer, false);
    else if (event.key === "ArrowLeft" && layer) {
      if (active && active.field >= 0) choose(items.find((item) => item.layer === active.layer));
      else fold(layer, true);
    } else if ((event.key === "Enter" || event.key === " ") && layer && active?.field === -1)
      fold(layer, !folded.has(layer.id));
    else if (event.key === "Escape") props.onClose();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  /** A byte that is pointed at: the smallest field that has it. */
  const byteItem = (byte: number): Item | null => {
    let best: Item | null = null;
    layers.forEach((layer, index) => {
      layer.fields.forEach(([, , from, to], field) => {
        if (byte >= from && byte < to && (!best || to - from <= best.mark[1] - best.mark[0])) {
          best = { layer: index, field, mark: [from, to] };
        }
      });
    });
    return best;
  };
  const mark = pointed ?? active?.mark ?? null;
  return (
    <section className="packet-detail" aria-label="The chosen packet">
      <div className="packet-detail-bar">
        <strong>No. {packet.number.toLocaleString("en")}</strong>
        <span className="muted small packet-detail-about">
          {props.at}, {packet.outgoing ? "sent" : "received"} {timeOfDay(packet, 9)},{" "}
          {packet.bytes.toLocaleString("en")} bytes
        </span>
        <span className="spacer" />
        {props.actions}
        <button type="button" className="quiet icon" aria-label="Close the packet" onClick={props.onClose}>
          ✕
        </button>
      </div>
      <div className="packet-detail-parts">
        <div
          className="packet-tree"
          role="tree"
          tabIndex={0}
          ref={tree}
          aria-label="Layers of the packet"
          aria-activedescendant={active ? itemId(active.layer, active.field) : undefined}
          onKeyDown={onKey}
          onPointerLeave={() => setPointed(null)}
        >
          {layers.map((layer, index) => (
            <LayerItem
              // biome-ignore lint/suspicious/noArrayIndexKey: a layer is its place
              key={`${index} ${layer.id}`}
              layer={layer}
              index={index}
              open={!folded.has(layer.id)}
              active={active?.layer === index ? active.field : null}
              mark={mark}
              onFold={(wish) => fold(layer, wish)}
              onChoose={(field, range) => {
                choose({ layer: index, field, mark: range });
                tree.current?.focus();
              }}
              onPoint={setPointed}
            />
          ))}
        </div>
        <HexView
          data={packet.data}
          mark={mark}
          onByte={(byte) => setPointed(byte === null ? null : (byteItem(byte)?.mark ?? null))}
          onChoose={(byte) => {
            const item = byteItem(byte);
            const layer = layers[item?.layer ?? -1];
            if (layer) fold(layer, false);
            if (item) requestAnimationFrame(() => choose(item));
          }}
        />
      </div>
    </section>
  );
}

/** What is known of a packet besides its bytes. */
function frameLayer(packet: SeenPacket, at: string): Layer {
  const { length } = packet.data;
  const way = packet.outgoing ? "sent" : "received";
  const field = (name: string, value: string): Field => [name, value, 0, length];
  return {
    id: "frame",
    name: `Frame ${packet.number}`,
    summary: `${packet.bytes.toLocaleString("en")} bytes, ${way} at ${at}`,
    fields: [
      field("Time", timeOfDay(packet, 9)),
      field("Interface", at),
      field("Direction", way),
      field("Bytes on the wire", String(packet.bytes)),
      field("Bytes here", `${length}${packet.whole ? "" : ", the file may have more"}`),
      ...(packet.unfinished ? [field("Checksum", "left to the card")] : []),
    ],
    from: 0,
    to: length,
    cut: "",
  };
}

const itemId = (layer: number, field: number) => `packet-item-${layer}-${field}`;

interface LayerItemProps {
  layer: Layer;
  index: number;
  open: boolean;
  /** The field that is active, -1 for the layer's own line. */
  active: number | null;
  mark: Mark | null;
  onFold: (wish: boolean) => void;
  onChoose: (field: number, mark: Mark) => void;
  onPoint: (mark: Mark) => void;
}

function LayerItem({ layer, index, open, active, mark, onFold, onChoose, onPoint }: LayerItemProps) {
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus and says which item is active
    <div
      role="treeitem"
      aria-expanded={open}
      aria-selected={active === -1}
      id={itemId(index, -1)}
      className="packet-layer"
    >
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the keys */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: it is the tree item's line */}
      <div
        className={active === -1 ? "packet-line active" : "packet-line"}
        onClick={() => {
          onChoose(-1, [layer.from, layer.to]);
          onFold(open);
        }}
        onPointerEnter={() => onPoint([layer.from, layer.to])}
      >
        <span aria-hidden="true" className="packet-fold">
          {layer.fields.length ? (open ? "▾" : "▸") : ""}
        </span>
        <strong>{layer.name}</strong> <span>{layer.summary}</span>
        {layer.cut && <span className="packet-cut">{layer.cut}</span>}
      </div>
      {open && layer.fields.length > 0 && (
        // biome-ignore lint/a11y/useSemanticElements: a tree's own kind of group
        <div role="group">
          {layer.fields.map((field, at) => (
            <FieldItem
              // biome-ignore lint/suspicious/noArrayIndexKey: a field is its place
              key={at}
              id={itemId(index, at)}
              field={field}
              active={active === at}
              marked={mark !== null && mark[0] === field[2] && mark[1] === field[3]}
              onChoose={() => onChoose(at, [field[2], field[3]])}
              onPoint={() => onPoint([field[2], field[3]])}
            />
          ))}
        </div>
      )}
    </div>
  );
}

function FieldItem(props: {
  id: string;
  field: Field;
  active: boolean;
  marked: boolean;
  onChoose: () => void;
  onPoint: () => void;
}) {
  const [name, value] = props.field;
  const classes = ["packet-line packet-field", props.active && "active", props.marked && "marked"];
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus
    <div
      role="treeitem"
      id={props.id}
      aria-selected={props.active}
      className={classes.filter(Boolean).join(" ")}
      onClick={props.onChoose}
      onPointerEnter={props.onPoint}
    >
      <span className="muted">{name}</span> <span className="mono">{value}</span>
    </div>
  );
}
