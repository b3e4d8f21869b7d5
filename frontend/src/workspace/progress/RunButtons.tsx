// Start, reset, pause, stop: what can be done to the whole lab, as buttons and menus, and by name for the palette.

import { useState } from "react";
import { api } from "../../api/client";
import { isEnded } from "../../live/run_reducer";
import { ConfirmDialog } from "../../ui/Dialog";
import { Menu, type MenuItem } from "../../ui/Menu";
import { useLabSession, useSession } from "../context";
import { useLabCommands } from "./use_lab_commands";

export function RunButtons() {
  const session = useLabSession();
  const run = useSession((s) => s.view?.run ?? null);
  const nodes = useSession((s) => s.page.lab.nodes);
  const canRun = useSession((s) => s.page.can_run);
  const busy = useSession((s) => s.busy);
  const [asking, setAsking] = useState<"stop" | "files" | null>(null);
  useLabCommands(setAsking);
  if (!run || isEnded(run.state)) {
    return (
      <button
        type="button"
        className="primary"
        disabled={busy !== "" || !canRun.ok}
        title={canRun.ok ? "Start this lab" : canRun.why}
        onClick={() => session.start()}
      >
        {busy === "start" ? "Starting …" : run ? "Start again" : "Start"}
      </button>
    );
  }
  const running = run.state === "running";
  const idle = (running || run.state === "broken" || run.state === "paused") && busy === "";
  const resets: MenuItem[] = [
    { label: "All nodes", detail: "files are kept", onSelect: () => session.reset(true) },
    ...nodes.map((node) => ({
      label: `Only ${node.name}`,
      disabled: !running,
      onSelect: () => void session.resetNode(node.name),
    })),
    {
      label: "All nodes and files …",
      detail: "back to the starter files",
      danger: true,
      onSelect: () => setAsking("files"),
    },
  ];
  return (
    <>
      <Menu label="Reset ▾" title="Reset the lab or one node" items={resets} disabled={!idle} alignEnd />
      <Menu
        label="⋯"
        title="The lab: more"
        className="icon"
        alignEnd
        items={[
          ...(run.can_pause
            ? [{ label: "Pause", detail: "memory to disk", disabled: busy !== "", onSelect: () => session.pause() }]
            : []),
          ...nodes.map((node) => ({
            label: `Download home of ${node.name}`,
            disabled: !running,
            onSelect: () => location.assign(api.homeUrl(run.id, node.name)),
          })),
        ]}
      />
      <button
        type="button"
        className="danger"
        disabled={run.state === "stopping" || busy === "stop"}
        onClick={() => (run.state === "queued" ? session.stop() : setAsking("stop"))}
      >
        {run.state === "queued" ? "Leave the queue" : "Stop"}
      </button>
      {asking === "stop" && (
        <ConfirmDialog
          title="Stop this lab?"
          text="Shells and everything that was configured in them end. Your files are kept for the next start."
          action="Stop the lab"
          onConfirm={() => session.stop()}
          onClose={() => setAsking(null)}
        />
      )}
      {asking === "files" && (
        <ConfirmDialog
          title="Reset nodes and files?"
          text="All nodes become as new and your files go back to the starter's text."
          action="Reset everything"
          onConfirm={() => session.reset(false)}
          onClose={() => setAsking(null)}
        />
      )}
    </>
  );
}
