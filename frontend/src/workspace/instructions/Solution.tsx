// What the open step's solution does, where the workshop shows it: commands to be typed, files to be compared with one's own.
// Folded until somebody wants it; nothing of it is carried out by itself.

import type { Originals } from "../../api/types";
import { useLabSession, useSession } from "../context";
import { useOriginals } from "../editor/originals";

type Action = Originals["actions"][number];

export function Solution() {
  const run = useSession((s) => s.view?.run.id ?? "");
  const step = useSession((s) => s.step);
  const { may_see_solution: shown, actions } = useOriginals(run);
  if (!shown || actions.length === 0) return null;
  return (
    <details className="solution" key={step}>
      <summary>A solution of this step</summary>
      <ol>
        {actions.map((action, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a solution's actions have no other name and never move
          <li key={index}>
            <ActionLine action={action} />
          </li>
        ))}
      </ol>
    </details>
  );
}

function ActionLine({ action }: { action: Action }) {
  const session = useLabSession();
  if (action.do === "run") {
    const type = () => session.signals.send({ to: "terminals", do: "type", node: action.node, text: action.text });
    return (
      <span className="solution-line">
        <span>
          <strong>{action.node}</strong> <code>{action.text}</code>
          {action.background && <span className="muted"> and leave it running</span>}
        </span>
        <button type="button" className="quiet small" onClick={type}>
          Type it for me
        </button>
      </span>
    );
  }
  if (action.do === "write") {
    return (
      <span className="solution-line">
        <span>
          Change <code>{action.text}</code>
        </span>
        <button type="button" className="quiet small" onClick={() => session.commands.run("editor.compare-solution")}>
          Compare with mine
        </button>
      </span>
    );
  }
  if (action.do === "load") return <span>Build and load {action.text}</span>;
  return (
    <span>
      Take the program off{" "}
      <code>
        {action.node}:{action.text}
      </code>
    </span>
  );
}
