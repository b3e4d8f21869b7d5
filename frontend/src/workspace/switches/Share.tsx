// The sentence of the switch's panel: how many of the frames never reached the CPU. Written directly, once a second.

import { useEffect, useRef } from "react";
import { rateAt } from "../../live/ring";
import { useLabSession } from "../context";
import { type Offload, shareSentence } from "./offload";

const WINDOW_S = 10;
const REFRESH_MS = 1_000;

export function Share({ offload }: { offload: Offload }) {
  const { counters } = useLabSession();
  const element = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    const write = () => {
      if (document.hidden || !element.current) return;
      const now = counters.now();
      const inWindow = (which: number[]) => rateAt(counters.ring, which, now, WINDOW_S) * WINDOW_S;
      const text = shareSentence(inWindow(offload.received), inWindow(offload.toCpu), WINDOW_S);
      if (element.current.textContent !== text) element.current.textContent = text;
    };
    write();
    const timer = window.setInterval(write, REFRESH_MS);
    return () => window.clearInterval(timer);
  }, [counters, offload]);
  return (
    <p className="share" ref={element} title={`Of the frames that came in at the ports in the last ${WINDOW_S} s`} />
  );
}
