// Loads the lab page's data once and shows what it is waiting for or why it failed.

import { useCallback, useEffect, useState } from "react";
import { ApiError, api } from "../api/client";
import type { ErrorBody } from "../api/types";
import { SessionContext } from "./context";
import { LabSession } from "./session";
import { Workspace } from "./Workspace";

interface AppProps {
  workshop: string;
  lab: string;
  /** The server's HTML of the first step: readable until the rest is there. */
  firstPaint: string;
}

export function App({ workshop, lab, firstPaint }: AppProps) {
  const [session, setSession] = useState<LabSession | null>(null);
  const [failure, setFailure] = useState<ErrorBody | null>(null);

  const load = useCallback(() => {
    setFailure(null);
    api
      .getLabPage(workshop, lab)
      .then((page) => setSession(new LabSession(page)))
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        setFailure(error.body);
      });
  }, [workshop, lab]);
  useEffect(load, [load]);

  if (session) {
    return (
      <SessionContext value={session}>
        <Workspace />
      </SessionContext>
    );
  }
  return (
    <div className="first-paint">
      {failure && (
        <div className="box bad" role="alert">
          <strong>{failure.message}</strong>
          <p>{failure.hint}</p>
          <button type="button" onClick={load}>
            Try again
          </button>
        </div>
      )}
      {/* biome-ignore lint/security/noDangerouslySetInnerHtml: our own server's sanitised HTML, already on the page */}
      <div dangerouslySetInnerHTML={{ __html: firstPaint }} />
    </div>
  );
}
