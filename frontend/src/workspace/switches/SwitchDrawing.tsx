// The switch as a picture: the kernel's conduit above, the wire with its tags, the chip with its CPU port and user ports,
// and the node at each. Ports are buttons that filter the list; rates are written directly, and a frame makes its way blink.

import { useEffect, useRef } from "react";
import type { LabSwitch } from "../../api/types";
import type { SeenFrame } from "../../live/tagged_frames";
import { useLabSession } from "../context";
import { nodeOf, portColour } from "../topology/cables";
import { shortRate } from "../topology/layout";
import { DIRECTION_SIGNS, namesOf } from "./frame_list";

const REFRESH_MS = 500;

interface DrawingProps {
  sw: LabSwitch;
  tagger: string;
  newest: SeenFrame | null;
  /** The port that the list is filtered by. */
  chosen: number | null;
  onChoose: (port: number) => void;
}

export function SwitchDrawing({ sw, tagger, newest, chosen, onChoose }: DrawingProps) {
  const rates = useRates(sw);
  const lit = newest ? namesOf(newest) : [];
  return (
    <figure className="switch-drawing" aria-label={`${sw.name}: conduit, CPU port and user ports`}>
      <div className="conduit">
        <span>
          kernel of <strong>{sw.node}</strong>
        </span>
        <span className="mono">{sw.conduit}</span>
        <span className="muted">conduit</span>
      </div>
      <div className="switch-wire">
        <span title="Frames per second from the switch to the CPU">
          {DIRECTION_SIGNS.to_cpu} <span ref={rates("up")}>–</span>
        </span>
        <i aria-hidden="true">
          {newest && <b key={newest.number} className={`${newest.direction} ${colourOf(newest, sw)}`} />}
        </i>
        <span title="Frames per second from the CPU to the switch">
          {DIRECTION_SIGNS.from_cpu} <span ref={rates("down")}>–</span>
        </span>
        <span className="tagger-name">
          tagger <span className="mono">{tagger}</span>
        </span>
      </div>
      <div className="chip-box">
        <span className="cpu-port">port 0, CPU</span>
        <strong>{sw.name}</strong>
        <span className="muted">switch chip</span>
      </div>
      <div className="user-ports">
        {sw.ports.map((port, index) => (
          <button
            type="button"
            key={port.name}
            className={`user-port ${portColour(index)} ${lit.includes(port.name) ? "lit" : ""}`}
            aria-pressed={chosen === index + 1}
            title={`Port ${index + 1}, ${port.name}: ${port.to} is plugged in. Shows only its frames.`}
            onClick={() => onChoose(index + 1)}
          >
            <span className="port-jack" key={lit.includes(port.name) ? newest?.number : 0}>
              {index + 1}
            </span>
            <span className="mono port-name">{port.name}</span>
            <span className="port-node">{nodeOf(port.to)}</span>
            <span className="port-rate" ref={rates(port.name)} title="Frames per second in and out">
              –
            </span>
          </button>
        ))}
      </div>
    </figure>
  );
}

/** The port's, as everywhere; "" for a frame whose tag names none. */
export function colourOf(frame: SeenFrame, sw: LabSwitch): string {
  return frame.port >= 1 && frame.port <= sw.ports.length ? portColour(frame.port - 1) : "";
}

/** Elements that show a rate, by the port's name, or up and down for the conduit. */
function useRates(sw: LabSwitch): (key: string) => (element: HTMLElement | null) => void {
  const { counters } = useLabSession();
  const elements = useRef(new Map<string, HTMLElement>());
  useEffect(() => {
    const of = (object: string, name: string, kind: string) =>
      counters.find((c) => c.node === sw.node && c.object === object && c.kind === kind && c.name === name);
    const timer = window.setInterval(() => {
      if (document.hidden) return;
      const now = counters.now();
      for (const [key, element] of elements.current) {
        const which =
          key === "up"
            ? of(sw.conduit, "rx_packets", "interface")
            : key === "down"
              ? of(sw.conduit, "tx_packets", "interface")
              : [...of(key, "rx_packets", "interface"), ...of(key, "tx_packets", "interface")];
        const rate = which.length ? counters.rate(which, now) : Number.NaN;
        const text = Number.isFinite(rate) ? `${shortRate(rate)}/s` : "–";
        if (element.textContent !== text) element.textContent = text;
      }
    }, REFRESH_MS);
    return () => window.clearInterval(timer);
  }, [counters, sw]);
  return (key) => (element) => {
    if (element) elements.current.set(key, element);
    else elements.current.delete(key);
  };
}
