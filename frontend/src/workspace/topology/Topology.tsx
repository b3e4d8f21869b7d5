// The lab's nodes and links with live packet rates. Lines are SVG, nodes are real buttons above them. Rates are written
// into the page directly, four times a second: a packet never causes React to render.

import "./topology.css";
import { type CSSProperties, useEffect, useMemo, useRef, useState } from "react";
import type { Attachment, CounterSchema, Impairment, LabNode } from "../../api/types";
import { useCommands } from "../commands";
import { useLabSession, useSession } from "../context";
import { useCounterSchema } from "../counters/use_schema";
import type { Signals } from "../signals";
import { type Cable, cablesOf, impairmentOf, impairmentWords, interfaceOf, lanesOf, nodeOf } from "./cables";
import { Rates } from "./EndLabels";
import {
  type Anchor,
  arrowOf,
  laneShift,
  nodeWidth,
  type Point,
  placeNodes,
  type Room,
  roomLeft,
  tagSide,
  turnedToFit,
} from "./layout";
import { largestThatFits, type Sizes, useTypePx } from "./sizes";

/** Of the room that labels would like to have. */
const ENOUGH = 0.8;
const NO_ATTACHMENTS: Attachment[] = [];
const NO_IMPAIRMENTS: Impairment[] = [];

export function Topology() {
  const nodes = useSession((s) => s.page.lab.nodes);
  const links = useSession((s) => s.page.lab.links);
  const switches = useSession((s) => s.page.lab.switches);
  const { signals } = useLabSession();
  const cables = useMemo(() => cablesOf(links, switches), [links, switches]);
  const lanes = useMemo(() => lanesOf(cables), [cables]);
  const [canvas, size] = useSize<HTMLDivElement>();
  const shown = useShownEnd(signals);
  const hasPrograms = useSession((s) => s.page.lab.programs.length > 0);
  const drawn = useMemo(() => placeNodes(nodes), [nodes]);
  const type = useTypePx();
  const { sizes, room, places } = useMemo(() => {
    const roomOf = (wanted: Sizes) => {
      const tags = hasPrograms ? wanted.tag : 0; // tags of programs hang under their nodes
      return { width: size.width - 2 * wanted.margin, height: size.height - 2 * wanted.margin - tags };
    };
    const placed = (wanted: Sizes) =>
      // the ports of a switch stand side by side: its node stays above or below what is plugged in
      switches.length ? drawn : turnedToFit(drawn, roomOf(wanted), wanted);
    const fits = (wanted: Sizes) =>
      switches.length > 0 || roomLeft([...placed(wanted).values()], roomOf(wanted), wanted) >= ENOUGH;
    const found = largestThatFits(type, fits);
    return { sizes: found, room: roomOf(found), places: placed(found) };
  }, [drawn, size, switches, type, hasPrograms]);
  const narrow = nodeWidth([...places.values()], room.width, sizes);
  const widthOf = (name: string): number => {
    const ports = switches.filter((sw) => sw.node === name).reduce((sum, sw) => sum + sw.ports.length, 0);
    return ports ? Math.min(room.width, Math.max(narrow, ports * sizes.portWidth)) : narrow;
  };
  const toPixels = (name: string): Point => {
    const place = places.get(name) ?? { x: 0.5, y: 0.5 };
    const width = widthOf(name);
    return {
      x: sizes.margin + width / 2 + place.x * Math.max(0, room.width - width),
      y: sizes.margin + sizes.nodeHeight / 2 + place.y * Math.max(0, room.height - sizes.nodeHeight),
    };
  };
  /** Two cables between the same nodes run beside each other. */
  const shifted = (end: string, at: Point): Point => {
    const lane = lanes.get(end);
    const other = cables.find((cable) => cable.ends.includes(end))?.ends.find((one) => one !== end);
    if (lane === undefined || other === undefined) return at;
    const by = laneShift(at, toPixels(nodeOf(other)), lane, sizes);
    return { x: at.x + by.x, y: at.y + by.y };
  };
  /** Where a cable ends: user ports stand side by side along their switch's node. */
  const anchor = (end: string): Anchor => {
    const at = toPixels(nodeOf(end));
    const width = widthOf(nodeOf(end));
    const ports = switches.filter((sw) => sw.node === nodeOf(end)).flatMap((sw) => sw.ports);
    const index = ports.findIndex((port) => port.name === interfaceOf(end));
    if (index < 0) return { ...shifted(end, at), width, lane: lanes.has(end) };
    const slot = width / ports.length;
    return { x: at.x + (index + 0.5) * slot - width / 2, y: at.y, width: slot };
  };
  const neighbours = (name: string): Point[] =>
    cables.flatMap(({ ends: [a, b] }) => {
      const other = nodeOf(a) === name ? b : nodeOf(b) === name ? a : null;
      return other === null ? [] : [toPixels(nodeOf(other))];
    });
  const pick = (cable: Cable) => signals.send({ to: "counters", do: "link", cable });
  useCommands("topology", [
    ...cables.map((cable) => ({
      id: `topology.link.${cable.ends.join("-")}`,
      title: `Link ${cable.ends.join(" – ")}: counters and impairment`,
      group: "Topology" as const,
      run: () => pick(cable),
    })),
  ]);
  return (
    <div className="pane topology">
      <div className="pane-bar">
        <h2>Topology</h2>
        <span className="spacer" />
        <span className="muted small">packets/s received</span>
      </div>
      <div
        className="topology-canvas"
        ref={canvas}
        style={{ fontSize: sizes.type, "--size-tiny": `${sizes.typeTiny}px` } as CSSProperties}
      >
        {size.width > 0 && (
          <>
            <svg width={size.width} height={size.height} aria-hidden="true">
              {cables.map((cable) => (
                <CableLine
                  key={cable.ends.join(" ")}
                  cable={cable}
                  from={anchor}
                  shown={cable.ends.includes(shown)}
                  onAsk={() => pick(cable)}
                />
              ))}
            </svg>
            {nodes.map((node) => (
              <NodeButton
                key={node.name}
                node={node}
                at={toPixels(node.name)}
                width={widthOf(node.name)}
                sizes={sizes}
                pane={size}
                others={neighbours(node.name)}
              />
            ))}
            <Rates cables={cables} from={anchor} shown={shown} sizes={sizes} />
            {cables.map((cable) => (
              <CableButton key={cable.ends.join(" ")} cable={cable} from={anchor} onAsk={() => pick(cable)} />
            ))}
          </>
        )}
      </div>
    </div>
  );
}

/** The interface whose name the pointer is on in the instructions; "" for none. */
function useShownEnd(signals: Signals): string {
  const [end, setEnd] = useState("");
  useEffect(() => {
    return signals.receive("topology", (signal) => signal.to === "topology" && setEnd(signal.end ?? ""));
  }, [signals]);
  return end;
}

interface CableProps {
  cable: Cable;
  from: (end: string) => Anchor;
}

/** The button beside it does the same for the keyboard. */
function CableLine({ cable, from, shown, onAsk }: CableProps & { shown: boolean; onAsk: () => void }) {
  const [start, end] = cable.ends.map(from) as [Anchor, Anchor];
  const place = { x1: start.x, y1: start.y, x2: end.x, y2: end.y };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the drawing is for the pointer, the button is for everybody
    <g className={`cable ${cable.colour}`} data-cable={cable.ends.join(" ")} onClick={onAsk}>
      <line className="link-reach" {...place} />
      <line className={`link ${cable.colour ? "coloured" : ""} ${shown ? "shown" : ""}`} {...place} />
    </g>
  );
}

/** In the middle of a link: what it does to packets, and the way to its counters and to change that. */
function CableButton({ cable, from, onAsk }: CableProps & { onAsk: () => void }) {
  const impairments = useSession((s) => s.view?.run.impairments ?? NO_IMPAIRMENTS);
  const [a, b] = cable.ends;
  const [start, end] = [from(a), from(b)];
  const [there, back] = [impairmentWords(impairmentOf(impairments, a)), impairmentWords(impairmentOf(impairments, b))];
  const words = there === back ? there && `⇄ ${there}` : "";
  const lines = words
    ? [words]
    : [there && `${arrowOf(start, end)} ${there}`, back && `${arrowOf(end, start)} ${back}`].filter(Boolean);
  return (
    <button
      type="button"
      className={lines.length ? "link-button impaired" : "link-button"}
      style={{ transform: `translate(${(start.x + end.x) / 2}px, ${(start.y + end.y) / 2}px) translate(-50%, -50%)` }}
      title={`${a} – ${b}: counters, delay, loss and rate`}
      onClick={onAsk}
    >
      {lines.map((line) => (
        <span key={line}>{line}</span>
      ))}
      <span className="visually-hidden">
        Link {a} – {b}: counters and impairment
      </span>
    </button>
  );
}

interface NodeProps {
  node: LabNode;
  at: Point;
  width: number;
  sizes: Sizes;
  pane: Room;
  /** Where its cables lead. */
  others: readonly Point[];
}

function NodeButton({ node, at, width, sizes, pane, others }: NodeProps) {
  const session = useLabSession();
  const all = useSession((s) => s.view?.run.attachments ?? NO_ATTACHMENTS);
  const running = useSession((s) => s.view?.run.state === "running");
  const programs = all.filter((a) => a.node === node.name);
  const schema = useCounterSchema(session.counters);
  const qdiscs = useMemo(() => qdiscsOf(schema, node.name), [schema, node.name]);
  const tags = { width: sizes.tagWidth, height: (programs.length + qdiscs.length) * sizes.tag };
  const side = tagSide(at, others, width, tags, pane, sizes);
  const addresses = node.interfaces.flatMap((i) => i.addresses);
  const details = node.interfaces.map((i) => `${i.name} ${i.addresses.join(" ")}`).join("\n");
  return (
    <div
      className="node"
      style={{
        transform: `translate(${at.x - width / 2}px, ${at.y - sizes.nodeHeight / 2}px)`,
        width,
      }}
    >
      <button
        type="button"
        disabled={!running}
        style={{ height: sizes.nodeHeight }}
        title={`${details}\nOpens a terminal of ${node.name}`}
        onClick={() => session.signals.send({ to: "terminals", do: "focus", node: node.name })}
      >
        <strong>{node.name}</strong>
        <span className="mono">{addresses[0] ?? node.title}</span>
        <span className="visually-hidden">: open a terminal</span>
      </button>
      <span className={`node-tags ${side}`}>
        {qdiscs.map((name) => (
          <span
            className="program-tag qdisc"
            key={name}
            title={`A queue of its own sends what leaves ${node.name}:${name}`}
          >
            QDISC <span className="mono">{name}</span>
          </span>
        ))}
        {programs.map((p) => (
          <ProgramTag key={`${p.interface} ${p.hook} ${p.program_id}`} program={p} />
        ))}
      </span>
    </div>
  );
}

/** Interfaces whose root queue is not the kernel's own. */
function qdiscsOf(schema: CounterSchema | null, node: string): string[] {
  const found = schema?.counters.filter((c) => c.kind === "qdisc" && c.node === node).map((c) => c.object) ?? [];
  return [...new Set(found)];
}

function ProgramTag({ program }: { program: Attachment }) {
  const mode = program.mode ? ` ${program.mode}` : "";
  const words = `${program.name} on ${program.node}:${program.interface}, ${program.hook}${mode}, program ${program.program_id}`;
  return (
    <span className="program-tag" title={words}>
      {hookWords(program)} <span className="mono">{program.name}</span>
    </span>
  );
}

/** Short enough for a tag: XDP generic, TC in, TCX out. */
function hookWords({ hook, mode }: Attachment): string {
  if (hook === "xdp") return mode === "generic" ? "XDP generic" : "XDP";
  return `${mode === "tcx" ? "TCX" : "TC"} ${hook === "tc-ingress" ? "in" : "out"}`;
}

function useSize<T extends HTMLElement>(): [React.RefObject<T | null>, { width: number; height: number }] {
  const element = useRef<T>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, size];
}
