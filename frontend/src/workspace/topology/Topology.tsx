// The lab's nodes and links with live packet rates. Lines are SVG, nodes are real buttons above them. Rates are written
// into the page directly, four times a second: a packet never causes React to render.

import "./topology.css";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Attachment, LabLink, LabNode } from "../../api/types";
import { useLabSession, useSession } from "../context";
import type { Signals } from "../signals";
import { type Point, placeNodes, shortRate } from "./layout";

const NODE_WIDTH_PX = 112;
const NODE_HEIGHT_PX = 46;
const MARGIN_PX = 14;
const REFRESH_MS = 250;
const NO_ATTACHMENTS: Attachment[] = [];

export function Topology() {
  const nodes = useSession((s) => s.page.lab.nodes);
  const links = useSession((s) => s.page.lab.links);
  const [canvas, size] = useSize<HTMLDivElement>();
  const shown = useShownEnd(useLabSession().signals);
  const places = useMemo(() => placeNodes(nodes), [nodes]);
  const toPixels = (name: string): Point => {
    const place = places.get(name) ?? { x: 0.5, y: 0.5 };
    return {
      x: MARGIN_PX + NODE_WIDTH_PX / 2 + place.x * Math.max(0, size.width - 2 * MARGIN_PX - NODE_WIDTH_PX),
      y: MARGIN_PX + NODE_HEIGHT_PX + place.y * Math.max(0, size.height - 2 * MARGIN_PX - 2 * NODE_HEIGHT_PX),
    };
  };
  return (
    <div className="pane topology">
      <div className="pane-bar">
        <h2>Topology</h2>
        <span className="spacer" />
        <span className="muted small">packets/s received</span>
      </div>
      <div className="topology-canvas" ref={canvas}>
        {size.width > 0 && (
          <>
            <svg width={size.width} height={size.height} aria-hidden="true">
              {links.map((link) => (
                <LinkLine key={linkKey(link)} link={link} from={toPixels} shown={link.ends.includes(shown)} />
              ))}
            </svg>
            {nodes.map((node) => (
              <NodeButton key={node.name} node={node} at={toPixels(node.name)} />
            ))}
            <Rates links={links} from={toPixels} shown={shown} />
          </>
        )}
      </div>
    </div>
  );
}

function linkKey(link: LabLink): string {
  return link.ends.join(" ");
}

function nodeOf(end: string): string {
  return end.slice(0, end.indexOf(":"));
}

function interfaceOf(end: string): string {
  return end.slice(end.indexOf(":") + 1);
}

/** The interface whose name the pointer is on in the instructions; "" for none. */
function useShownEnd(signals: Signals): string {
  const [end, setEnd] = useState("");
  useEffect(() => {
    return signals.receive("topology", (signal) => signal.to === "topology" && setEnd(signal.end ?? ""));
  }, [signals]);
  return end;
}

function LinkLine({ link, from, shown }: { link: LabLink; from: (name: string) => Point; shown: boolean }) {
  const [a, b] = link.ends;
  if (!a || !b) return null;
  const start = from(nodeOf(a));
  const end = from(nodeOf(b));
  return <line className={shown ? "link shown" : "link"} x1={start.x} y1={start.y} x2={end.x} y2={end.y} />;
}

function NodeButton({ node, at }: { node: LabNode; at: Point }) {
  const session = useLabSession();
  const all = useSession((s) => s.view?.run.attachments ?? NO_ATTACHMENTS);
  const running = useSession((s) => s.view?.run.state === "running");
  const programs = all.filter((a) => a.node === node.name);
  const addresses = node.interfaces.flatMap((i) => i.addresses);
  const details = node.interfaces.map((i) => `${i.name} ${i.addresses.join(" ")}`).join("\n");
  return (
    <div
      className="node"
      style={{
        transform: `translate(${at.x - NODE_WIDTH_PX / 2}px, ${at.y - NODE_HEIGHT_PX / 2}px)`,
        width: NODE_WIDTH_PX,
      }}
    >
      <button
        type="button"
        disabled={!running}
        title={`${details}\nOpens a terminal of ${node.name}`}
        onClick={() => session.signals.send({ to: "terminals", do: "focus", node: node.name })}
      >
        <strong>{node.name}</strong>
        <span className="mono">{addresses[0] ?? node.title}</span>
        <span className="visually-hidden">: open a terminal</span>
      </button>
      {programs.map((p) => (
        <ProgramTag key={`${p.interface} ${p.hook}`} program={p} />
      ))}
    </div>
  );
}

function ProgramTag({ program }: { program: Attachment }) {
  const mode = program.mode ? ` ${program.mode}` : "";
  const words = `${program.name} on ${program.node}:${program.interface}, ${program.hook}${mode}, program ${program.program_id}`;
  return (
    <span className="program-tag" title={words}>
      {program.hook.toUpperCase()}
      {program.mode === "generic" ? " generic" : ""} <span className="mono">{program.name}</span>
    </span>
  );
}

/** One label at each end of a link: the interface's name and what it receives. */
function Rates({ links, from, shown }: { links: readonly LabLink[]; from: (name: string) => Point; shown: string }) {
  const session = useLabSession();
  const elements = useRef(new Map<string, HTMLSpanElement>());
  const ends = links.flatMap((link) => {
    const [a, b] = link.ends;
    return a && b
      ? [
          { mine: a, other: b },
          { mine: b, other: a },
        ]
      : [];
  });

  useEffect(() => {
    const timer = window.setInterval(() => {
      if (document.hidden) return;
      const now = session.counters.now();
      for (const [key, element] of elements.current) {
        const indexes = session.counters.find(
          (c) => c.kind === "interface" && c.name === "rx_packets" && `${c.node}:${c.object}` === key,
        );
        const rate = indexes.length ? session.counters.rate(indexes, now) : Number.NaN;
        const text = shortRate(rate);
        if (element.textContent !== text) element.textContent = text;
        element.classList.toggle("moving", rate > 0);
      }
    }, REFRESH_MS);
    return () => window.clearInterval(timer);
  }, [session]);

  return ends.map(({ mine, other }) => {
    const at = labelPlace(from(nodeOf(mine)), from(nodeOf(other)));
    return (
      <div
        key={mine}
        className={mine === shown ? "link-label shown" : "link-label"}
        style={{ transform: `translate(${at.x}px, ${at.y}px) translate(-50%, -50%)` }}
      >
        <span className="mono">{interfaceOf(mine)}</span>
        <span
          className="rate"
          ref={(element) => {
            if (element) elements.current.set(mine, element);
            else elements.current.delete(mine);
          }}
        >
          –
        </span>
      </div>
    );
  });
}

const LABEL_GAP_PX = 20;

/** On the line, just outside of the node's box. */
function labelPlace(mine: Point, other: Point): Point {
  const dx = other.x - mine.x;
  const dy = other.y - mine.y;
  const length = Math.hypot(dx, dy) || 1;
  const toEdge = Math.min(
    dx === 0 ? Number.POSITIVE_INFINITY : (NODE_WIDTH_PX / 2 + 22) / Math.abs(dx / length),
    dy === 0 ? Number.POSITIVE_INFINITY : (NODE_HEIGHT_PX / 2 + LABEL_GAP_PX) / Math.abs(dy / length),
  );
  const along = Math.min(toEdge, length * 0.4);
  return { x: mine.x + (dx / length) * along, y: mine.y + (dy / length) * along };
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
