// The palette's traces, offered wherever the pane's tab is: they show it and begin.

import type { TraceMode } from "../../api/types";
import type { Command } from "../commands";

const TITLES: Record<TraceMode, string> = {
  latency: "Trace: measure latency by stage",
  way: "Trace: follow the next packets",
  functions: "Trace: follow the kernel's functions",
};

export function traceCommands(running: boolean, begin: (mode: TraceMode) => void): Command[] {
  return (Object.keys(TITLES) as TraceMode[]).map((mode) => ({
    id: `trace.${mode}`,
    title: TITLES[mode],
    group: "Counters",
    ...(running ? {} : { off: "the lab does not run" }),
    run: () => begin(mode),
  }));
}
