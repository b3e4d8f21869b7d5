// The lab's own actions for the palette, the same as the bar's buttons and menus: what cannot be done now says why.

import { api } from "../../api/client";
import type { Run } from "../../api/types";
import { isEnded } from "../../live/run_reducer";
import { type Command, useCommands } from "../commands";
import { useLabSession, useSession } from "../context";
import type { LabSession } from "../session";

type Ask = (question: "stop" | "files") => void;

const NOT_STARTED = "the lab is not started";

export function useLabCommands(ask: Ask): void {
  const session = useLabSession();
  const found = useSession((s) => s.view?.run ?? null);
  const nodes = useSession((s) => s.page.lab.nodes);
  const canRun = useSession((s) => s.page.can_run);
  const busy = useSession((s) => s.busy);
  const run = found && !isEnded(found.state) ? found : null;
  const wait = busy ? "wait a moment" : "";
  const names = nodes.map((node) => node.name);
  useCommands("lab", [
    command("lab.start", "Start the lab", run ? "it is started" : canRun.ok ? wait : canRun.why, () => {
      void session.start();
    }),
    stopCommand(session, run, wait, ask),
    ...resetCommands(session, run, wait, ask, names),
    ...otherCommands(session, run, wait),
    ...names.map((node) =>
      command(`lab.home.${node}`, `Download home of ${node}`, running(run), () => {
        if (run) location.assign(api.homeUrl(run.id, node));
      }),
    ),
  ]);
}

function stopCommand(session: LabSession, run: Run | null, wait: string, ask: Ask): Command {
  const queued = run?.state === "queued";
  const off = run ? (run.state === "stopping" ? "it is stopping" : wait) : NOT_STARTED;
  return command("lab.stop", queued ? "Leave the queue" : "Stop the lab …", off, () => {
    if (queued) void session.stop();
    else ask("stop");
  });
}

function resetCommands(session: LabSession, run: Run | null, wait: string, ask: Ask, nodes: string[]): Command[] {
  const whole = run?.state === "broken" || run?.state === "paused" ? wait : running(run) || wait;
  return [
    command("lab.reset", "Reset all nodes, files are kept", whole, () => void session.reset(true)),
    ...nodes.map((node) =>
      command(`lab.reset.${node}`, `Reset node ${node}`, running(run) || wait, () => void session.resetNode(node)),
    ),
    command("lab.reset-files", "Reset all nodes and files …", whole, () => ask("files")),
  ];
}

function otherCommands(session: LabSession, run: Run | null, wait: string): Command[] {
  const paused = run?.state === "paused";
  const cannotPause = run?.can_pause ? wait : "only a running lab in a VM can";
  return [
    paused
      ? command("lab.resume", "Resume the lab", wait, () => void session.resume())
      : command("lab.pause", "Pause the lab", run ? cannotPause : NOT_STARTED, () => void session.pause()),
    command(
      "lab.extend",
      "Extend the time",
      run ? (run.can_extend ? wait : "not now: there is enough time left, or no more to give") : NOT_STARTED,
      () => void session.extend(),
    ),
  ];
}

function running(run: Run | null): string {
  return run ? (run.state === "running" ? "" : "the lab does not run") : NOT_STARTED;
}

function command(id: string, title: string, off: string, run: () => void): Command {
  return { id, title, group: "Lab", ...(off && { off }), run };
}
