// The palette's captures: of each link's both ends, and of each interface of the lab.

import type { Lab } from "../../api/types";
import type { Command } from "../commands";
import { type Place, placeKey, placesOf } from "./places";

export function captureCommands(lab: Lab, running: boolean, capture: (place: Place) => void): Command[] {
  const { links, interfaces } = placesOf(lab, null);
  return [...links, ...interfaces].map((place) => ({
    id: `packets.capture.${placeKey(place)}`,
    title: `Capture packets: ${place.join(" – ")}`,
    group: "Topology",
    ...(running ? {} : { off: "the lab does not run" }),
    run: () => capture(place),
  }));
}
