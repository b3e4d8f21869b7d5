// Above the editor and terminals when the lab does not run although it is not over: what happened, and the one way on.

import type { Run } from "../../api/types";
import { useLabSession, useSession } from "../context";

export function RunBanner() {
  const run = useSession((s) => s.view?.run ?? null);
  if (run?.state === "broken") return <Broken run={run} />;
  if (run?.state === "paused") return <Paused run={run} />;
  if (run?.state === "resetting") return <Doing title="Resetting" run={run} />;
  if (run?.state === "running" && run.changing_to === "paused") return <Doing title="Pausing" run={run} />;
  return null;
}

function Broken({ run }: { run: Run }) {
  const session = useLabSession();
  const busy = useSession((s) => s.busy);
  const asked = busy === "reset" || run.changing_to !== null;
  return (
    <div className="run-banner bad" role="alert">
      <div>
        <strong>{run.error?.message ?? "The lab's own kernel is not there any more."}</strong>
        <p>
          Your files are safe, and so is what the terminals have printed; what ran in the nodes is gone. Reset builds
          the lab anew with your files as they are.
        </p>
      </div>
      <button type="button" className="primary" disabled={asked || busy !== ""} onClick={() => session.reset(true)}>
        {asked ? "Resetting …" : "Reset"}
      </button>
    </div>
  );
}

function Paused({ run }: { run: Run }) {
  const session = useLabSession();
  const busy = useSession((s) => s.busy);
  const asked = busy === "resume" || run.changing_to === "running";
  const waits = asked && run.queue_position !== null;
  return (
    <div className="run-banner" role="status">
      <div>
        <strong>Your lab is paused, its memory is on disk.</strong>
        <p>
          {waits
            ? `All places are taken. It goes on by itself when one is free; you are number ${run.queue_position}.`
            : "It takes nobody's place meanwhile. Everything goes on where it stopped: shells, pings, captures."}
        </p>
      </div>
      <button type="button" className="primary" disabled={asked || busy !== ""} onClick={() => session.resume()}>
        {waits ? "Waiting …" : asked ? "Resuming …" : "Resume"}
      </button>
    </div>
  );
}

/** The host's step that is under way: a reset of a VM is a few of them. */
function Doing({ title, run }: { title: string; run: Run }) {
  const step = run.host_steps.findLast((s) => s.state === "running") ?? run.host_steps.at(-1);
  return (
    <div className="run-banner" role="status">
      <div>
        <strong>{title} …</strong>
        {step && <p>{step.title}</p>}
      </div>
    </div>
  );
}
