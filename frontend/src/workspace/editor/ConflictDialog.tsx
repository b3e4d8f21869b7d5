// A file was changed elsewhere (a shell, another tab) while unsaved text is here: both versions side by side, the
// differences marked, and a choice. Nothing is lost before it is made: closing the dialog leaves the conflict open.

import { MergeView } from "@codemirror/merge";
import { useEffect, useRef, useState } from "react";
import { Dialog } from "../../ui/Dialog";
import { comparison } from "./codemirror";
import type { EditorDesk } from "./desk";

export function ConflictDialog({ desk, path }: { desk: EditorDesk; path: string }) {
  const element = useRef<HTMLDivElement>(null);
  const [closed, setClosed] = useState(false);
  const both = desk.conflictOf(path);

  // biome-ignore lint/correctness/useExhaustiveDependencies: drawn once; typing is not possible while it is open
  useEffect(() => {
    if (!element.current || !both || closed) return;
    const view = new MergeView({
      a: { doc: both.theirs, extensions: comparison("The other version", path) },
      b: { doc: both.mine, extensions: comparison("Your version", path) },
      parent: element.current,
      collapseUnchanged: {},
    });
    return () => view.destroy();
  }, [closed]);

  if (!both) return null;
  if (closed) {
    return (
      <div className="box warn conflict-note" role="alert">
        {path} has two versions.{" "}
        <button type="button" onClick={() => setClosed(false)}>
          Compare and choose
        </button>
      </div>
    );
  }
  return (
    <Dialog title={`${path} was changed elsewhere`} wide onClose={() => setClosed(true)}>
      <p className="muted">Someone wrote a newer version, in a shell or in another tab. Choose which one to keep.</p>
      <div className="merge-heads">
        <strong>The other version</strong>
        <strong>Your version</strong>
      </div>
      <div className="merge-box" ref={element} />
      <div className="dialog-buttons">
        <button type="button" onClick={() => setClosed(true)}>
          Decide later
        </button>
        <button type="button" onClick={() => desk.resolve(path, "theirs")}>
          Use the other version
        </button>
        <button type="button" className="primary" onClick={() => desk.resolve(path, "mine")}>
          Keep your version
        </button>
      </div>
    </Dialog>
  );
}
