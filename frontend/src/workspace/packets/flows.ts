// Flows of the list: each has a colour, one of them may be followed.

import { useCallback, useRef, useState } from "react";

const COLOURS = 8;

export interface Flows {
  /** "" for none. */
  followed: string;
  follow: (flow: string) => void;
  /** The class that brings the flow's colour. */
  colourOf: (flow: string) => string;
}

export function useFlows(): Flows {
  const [followed, follow] = useState("");
  const order = useRef(new Map<string, number>());
  const colourOf = useCallback((flow: string) => {
    if (!flow) return "";
    const known = order.current.get(flow);
    const index = known ?? order.current.size;
    if (known === undefined) order.current.set(flow, index);
    return `flow series-${(index % COLOURS) + 1}`;
  }, []);
  return { followed, follow, colourOf };
}

/** "tcp 10.0.0.1:80 10.0.0.2:4000" as "TCP 10.0.0.1:80 ↔ 10.0.0.2:4000". */
export function flowWords(flow: string): string {
  const [protocol = "", a = "", b = "", ...rest] = flow.split(" ");
  return `${protocol.toUpperCase()} ${a} ↔ ${b}${rest.length ? ` (id ${rest.join(" ")})` : ""}`;
}
