// Builds the program whose file is shown, and takes off what is attached where it goes.

import { useCallback, useEffect, useState } from "react";
import type { Attachment, LabProgram, XdpMode } from "../../api/types";
import { useCommands } from "../commands";
import { useLabSession, useSession } from "../context";
import type { EditorDesk } from "./desk";

const NO_BUILDS: Record<string, string> = {};
const NO_ATTACHMENTS: Attachment[] = [];

export function BuildButtons({ desk, program }: { desk: EditorDesk; program: LabProgram }) {
  const session = useLabSession();
  const running = useSession((s) => s.view?.run.state === "running");
  const builds = useSession((s) => s.view?.building ?? NO_BUILDS);
  const attachments = useSession((s) => s.view?.run.attachments ?? NO_ATTACHMENTS);
  const [mode, setMode] = useState<XdpMode>(program.attach.mode);
  const [saving, setSaving] = useState(false);
  const building = saving || Object.values(builds).includes(program.name);
  const { node, interface: iface, hook } = program.attach;
  const attached = attachments.find((a) => a.node === node && a.interface === iface && a.hook === hook);

  const build = useCallback(async () => {
    if (!running || building) return;
    setSaving(true);
    const saved = await desk.flushAll();
    if (saved) await session.build(program.name, hook === "xdp" ? mode : null);
    else session.tell("Not built: your changes could not be saved yet.", "See the note beside the file's name.", "bad");
    setSaving(false);
  }, [running, building, desk, session, program.name, hook, mode]);

  useEffect(
    () =>
      session.signals.receive("editor", (signal) => {
        if (signal.to !== "editor") return;
        if (signal.do === "build") void build();
        else void desk.put(signal.path, signal.text);
      }),
    [session, desk, build],
  );

  useCommands("editor-build", [
    {
      id: `editor.build.${program.name}`,
      title: `Build ${program.source} and load it`,
      group: "Editor",
      keys: "Ctrl+Enter",
      ...(running ? {} : { off: "the lab does not run" }),
      run: () => void build(),
    },
    {
      id: `editor.detach.${program.name}`,
      title: `Detach what runs on ${node}:${iface}`,
      group: "Editor",
      ...(running && attached ? {} : { off: "nothing is attached" }),
      run: () => void session.detach(node, iface, hook),
    },
  ]);

  return (
    <>
      {hook === "xdp" && (
        <select
          aria-label="Mode in which XDP is attached"
          title="native: in the driver; generic: in the stack, for any device"
          value={mode}
          onChange={(event) => setMode(event.target.value as XdpMode)}
        >
          <option value="native">native</option>
          <option value="generic">generic</option>
        </select>
      )}
      <button
        type="button"
        className="primary"
        disabled={!running || building}
        title={`Build ${program.source} and attach ${program.function} to ${node}:${iface} (Ctrl+Enter)`}
        aria-keyshortcuts="Control+Enter"
        onClick={() => void build()}
      >
        {building ? "Building …" : "Build & load"}
      </button>
      <button
        type="button"
        disabled={!running || !attached}
        title={attached ? `Take ${attached.name} off ${node}:${iface}` : `Nothing is attached to ${node}:${iface}`}
        onClick={() => void session.detach(node, iface, hook)}
      >
        Detach
      </button>
    </>
  );
}
