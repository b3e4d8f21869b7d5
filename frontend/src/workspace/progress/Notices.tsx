// Short messages in the corner: refusals, announcements, the storm guard. Decoration for the eye; what is read aloud is
// in the workspace's status region. Good news leaves by itself; bad news, and why a lab has ended, wait to be closed.

import { useEffect } from "react";
import type { RunStateName } from "../../api/types";
import { isEnded, type Notice } from "../../live/run_reducer";
import { useLabSession, useSession } from "../context";

const SHOWN_MS = 8_000;
const NONE: Notice[] = [];
/** In the others the start panel is there and shows a refusal itself. */
const SHOWS_WORK: ReadonlySet<RunStateName> = new Set(["running", "resetting", "paused", "broken", "stopping"]);

export function Notices() {
  const notices = useSession((s) => s.view?.notices ?? NONE);
  const refusal = useSession((s) => (s.view && SHOWS_WORK.has(s.view.run.state) ? s.refusal : null));
  const ended = useSession((s) => s.view !== null && isEnded(s.view.run.state));
  const session = useLabSession();
  return (
    <section className="notices" aria-label="Messages">
      {notices.map((notice) => (
        <NoticeCard key={notice.id} notice={notice} stays={ended} onClose={() => session.dismiss(notice.id)} />
      ))}
      {refusal && (
        <NoticeCard
          notice={{ id: "refusal", tone: "bad", text: refusal.message, hint: refusal.hint }}
          stays
          onClose={() => session.dismissRefusal()}
        />
      )}
    </section>
  );
}

function NoticeCard({ notice, stays, onClose }: { notice: Notice; stays: boolean; onClose: () => void }) {
  const waits = stays || notice.tone === "bad";
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new function to close with is no new message
  useEffect(() => (waits ? undefined : whenSeenFor(SHOWN_MS, onClose)), [notice, waits]);
  return (
    <div className={`notice ${notice.tone}`}>
      <div>
        <strong>{notice.text}</strong>
        {notice.hint && <p>{notice.hint}</p>}
      </div>
      <button type="button" className="quiet icon" aria-label="Close this message" onClick={onClose}>
        ✕
      </button>
    </div>
  );
}

/** Calls once the page has been looked at for so long; what comes while it is in the background waits. Gives back the way out. */
function whenSeenFor(ms: number, then: () => void): () => void {
  let timer = 0;
  const look = () => {
    window.clearTimeout(timer);
    if (!document.hidden) timer = window.setTimeout(then, ms);
  };
  look();
  document.addEventListener("visibilitychange", look);
  return () => {
    window.clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}
