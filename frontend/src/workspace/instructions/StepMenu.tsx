// "Step 4 of 7": under it what can be done about the open step beside reading it. Offers the steps to the palette as well.

import { useState } from "react";
import type { Step } from "../../api/types";
import { ConfirmDialog } from "../../ui/Dialog";
import { Menu } from "../../ui/Menu";
import { type Command, useCommands } from "../commands";
import { useLabSession, useSession } from "../context";

/** States from which a lab can be made as new. */
const CAN_BEGIN_ANEW: ReadonlySet<string> = new Set(["running", "broken"]);

export function StepMenu({ steps, at }: { steps: readonly Step[]; at: number }) {
  const session = useLabSession();
  const state = useSession((s) => s.view?.run.state ?? "");
  const busy = useSession((s) => s.busy);
  const [asking, setAsking] = useState(false);
  const here = steps[at];
  const off = CAN_BEGIN_ANEW.has(state) && !busy ? "" : "the lab does not run";
  useCommands("steps", [
    ...stepCommands(steps, at, (id) => void session.openStep(id)),
    bringCommand(at, off, setAsking),
  ]);
  if (!here) return null;
  return (
    <>
      <Menu
        label={`Step ${at + 1} of ${steps.length} ▾`}
        title={`Step ${at + 1} of ${steps.length}: what can be done`}
        className="quiet step-menu"
        above
        items={[
          {
            label: at === 0 ? "Begin anew at this step …" : "Bring me to the start of this step …",
            detail: at === 0 ? "the lab as new" : `as new, steps 1 to ${at} done for you`,
            disabled: off !== "",
            onSelect: () => setAsking(true),
          },
        ]}
      />
      {asking && (
        <ConfirmDialog
          title={`Bring me to the start of step ${at + 1}?`}
          text={bringText(at)}
          action={`Bring me to step ${at + 1}`}
          onConfirm={() => void session.bringToStep(here.id)}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}

function bringText(at: number): string {
  const before =
    at === 0 ? "" : at === 1 ? " Then step 1 is done for you." : ` Then steps 1 to ${at} are done for you.`;
  return (
    `All nodes become as new: shells and what was configured in them end.${before} ` +
    "What you have written in the lab's files is kept beside them, as NAME.mine."
  );
}

function bringCommand(at: number, off: string, ask: (asking: boolean) => void): Command {
  const title = `Bring me to the start of step ${at + 1} …`;
  return { id: "steps.bring", title, group: "Steps", ...(off && { off }), run: () => ask(true) };
}

function stepCommands(steps: readonly Step[], at: number, open: (id: string) => void): Command[] {
  return steps.map((step, index) => ({
    id: `steps.open.${step.id}`,
    title: `Step ${index + 1}: ${step.title}`,
    group: "Steps",
    ...(index === at && { off: "it is open" }),
    run: () => open(step.id),
  }));
}
