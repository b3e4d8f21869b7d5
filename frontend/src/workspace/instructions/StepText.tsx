// The server's HTML of one step, with its buttons made to work: a block that names a node is typed into that node's
// terminal, never with Enter; a block that names a file is put into it at the cursor, in the editor; an interface under
// the pointer is shown in the topology.

import { memo, useEffect, useRef } from "react";
import type { Step } from "../../api/types";
import { useLabSession } from "../context";
import type { Signals } from "../signals";

export const StepText = memo(function StepText({ step }: { step: Step }) {
  const session = useLabSession();
  const element = useRef<HTMLDivElement>(null);

  // The HTML's buttons do nothing by themselves, and React does not know of them: one listener for all.
  useEffect(() => {
    const root = element.current;
    if (!root) return;
    const onClick = (event: Event) => press(event, session.signals);
    const onEnter = (event: Event) => endOf(event) && show(endOf(event), session.signals);
    const onLeave = (event: Event) => endOf(event) && show(null, session.signals);
    root.addEventListener("click", onClick);
    root.addEventListener("pointerover", onEnter);
    root.addEventListener("pointerout", onLeave);
    return () => {
      root.removeEventListener("click", onClick);
      root.removeEventListener("pointerover", onEnter);
      root.removeEventListener("pointerout", onLeave);
      show(null, session.signals); // the text goes away under a pointer that rests
    };
  }, [session]);

  return (
    <div
      ref={element}
      className="prose"
      // biome-ignore lint/security/noDangerouslySetInnerHtml: rendered and sanitised by the server
      dangerouslySetInnerHTML={{ __html: step.html }}
    />
  );
});

/** `node:interface` when the event is about the name of one. */
function endOf(event: Event): string | null {
  return (event.target as Element).closest<HTMLElement>("[data-end]")?.dataset.end ?? null;
}

function show(end: string | null, signals: Signals): void {
  signals.send({ to: "topology", do: "show", end });
}

function press(event: Event, signals: Signals): void {
  const button = (event.target as Element).closest(".code-action");
  const block = button?.closest<HTMLElement>("[data-node], [data-file]");
  const code = block?.querySelector("pre");
  if (!block || !code) return;
  const { node, file } = block.dataset;
  if (node) signals.send({ to: "terminals", do: "type", node, text: commandIn(code) });
  else if (file) signals.send({ to: "editor", do: "put", path: file, text: code.textContent ?? "" });
}

/** The block's text as a person would type it: no comments above it, no prompt in front, no Enter at its end. */
export function commandIn(block: { textContent: string | null }): string {
  const lines = (block.textContent ?? "").trimEnd().split("\n");
  const first = lines.findIndex((line) => line.trim() !== "" && !line.startsWith("#"));
  return lines
    .slice(Math.max(0, first))
    .map((line) => line.replace(/^\$ (?=\S)/, ""))
    .join("\n");
}
