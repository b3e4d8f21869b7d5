// Where can be captured: both ends of each cable, every interface that the lab has or that somebody has made. Pure.

import type { CounterSchema, Lab } from "../../api/types";
import { placeOf } from "../counters/counter_words";
import { cablesOf } from "../topology/cables";

/** One end, or both of a cable; written node:interface. */
export type Place = readonly string[];

export interface Places {
  links: Place[];
  interfaces: Place[];
}

export function placesOf(lab: Pick<Lab, "nodes" | "links" | "switches">, schema: CounterSchema | null): Places {
  const links = cablesOf(lab.links, lab.switches).map((cable) => cable.ends);
  const known = [
    ...links.flat(),
    ...lab.nodes.flatMap((node) => node.interfaces.map((one) => `${node.name}:${one.name}`)),
    ...lab.switches.map((sw) => `${sw.node}:${sw.conduit}`),
    ...(schema?.counters.filter((counter) => counter.kind === "interface").map(placeOf) ?? []),
    ...lab.nodes.map((node) => `${node.name}:lo`),
  ];
  const order = new Map(lab.nodes.map((node, index) => [node.name, index]));
  const rank = (end: string) => order.get(end.slice(0, end.indexOf(":"))) ?? order.size;
  const unique = [...new Set(known)].sort((a, b) => rank(a) - rank(b));
  return { links, interfaces: unique.map((end) => [end]) };
}

export function placeKey(place: Place): string {
  return place.join(" ");
}
