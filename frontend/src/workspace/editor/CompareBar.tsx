// Over the editor while a file is compared: with what, how many differences, from one to the next, and the end of it.

import { useState } from "react";
import type { Originals } from "../../api/types";
import { ConfirmDialog } from "../../ui/Dialog";
import type { DeskState, EditorDesk } from "./desk";
import { textOf } from "./originals";

export const STARTER = "the starter";

export function CompareBar({ desk, state, originals }: { desk: EditorDesk; state: DeskState; originals: Originals }) {
  const [asking, setAsking] = useState(false);
  const starter = textOf(originals.starter, state.path);
  const count = state.differences;
  const none = count === 0;
  return (
    <section className="compare-bar small" aria-label="Comparison">
      <span role="status">
        <strong>{state.path}</strong> and {state.compared}:{" "}
        {none ? "no difference" : `${count} ${count === 1 ? "difference" : "differences"}`}
      </span>
      <span className="legend">
        <span className="mine">yours</span> <span className="theirs">{state.compared}</span>
      </span>
      <span className="spacer" />
      <button type="button" className="quiet icon" disabled={none} onClick={() => desk.goToDifference(false)}>
        <span aria-hidden="true">↑</span>
        <span className="visually-hidden">Previous difference</span>
      </button>
      <button type="button" className="quiet icon" disabled={none} onClick={() => desk.goToDifference(true)}>
        <span aria-hidden="true">↓</span>
        <span className="visually-hidden">Next difference</span>
      </button>
      {state.compared === STARTER && starter !== null && (
        <button type="button" disabled={none} onClick={() => setAsking(true)}>
          Reset this file
        </button>
      )}
      <button type="button" onClick={() => desk.compare(null, "")}>
        Done
      </button>
      {asking && (
        <ConfirmDialog
          title={`Reset ${state.path} to the starter?`}
          text="Your other files stay as they are. Ctrl+Z in the editor brings your text back as long as this page is open."
          action="Reset this file"
          onConfirm={() => desk.setText(starter ?? "")}
          onClose={() => setAsking(false)}
        />
      )}
    </section>
  );
}
