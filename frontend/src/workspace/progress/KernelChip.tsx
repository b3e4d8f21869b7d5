// Which kernel the lab runs in, in the bar; pressed, it says why and what that means for what one can do.

import { useState } from "react";
import type { Run } from "../../api/types";
import { Dialog } from "../../ui/Dialog";
import { kernelSentence, shortRelease } from "./kernel_words";

export function KernelChip({ run }: { run: Run }) {
  const [open, setOpen] = useState(false);
  const own = run.runtime === "vm";
  return (
    <>
      <button
        type="button"
        className="chip kernel-chip"
        onClick={() => setOpen(true)}
        title="Which kernel is this, and why?"
      >
        <span>
          {own ? "own kernel" : "kernel"}
          <span className="bar-word"> {shortRelease(run.kernel)}</span>
        </span>
      </button>
      {open && (
        <Dialog title={own ? "A kernel of your own" : "The host's kernel"} onClose={() => setOpen(false)}>
          <div className="prose">
            <p>{kernelSentence(run.runtime, run.isolation, run.kernel)}</p>
            {run.why_here && <p>{run.why_here}</p>}
            <p className="muted">
              {own
                ? "You are root of all of it: mount, dmesg, modprobe and kprobes work, and a panic breaks nothing but this lab. " +
                  "Reset brings a fresh one."
                : "You are root in your nodes. What belongs to the whole machine (modules, kernel log, other labs) is out of reach."}
            </p>
          </div>
          <div className="dialog-buttons">
            <button type="button" className="primary" onClick={() => setOpen(false)}>
              Close
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}
