// The session for React: one context, one hook that reads a part of it and redraws only when that part changes.

import { createContext, useContext, useSyncExternalStore } from "react";
import type { LabSession, SessionState } from "./session";

export const SessionContext = createContext<LabSession | null>(null);

export function useLabSession(): LabSession {
  const session = useContext(SessionContext);
  if (!session) throw new Error("no session above this component");
  return session;
}

/** `select` must return something that stays the same object while it has not changed. */
export function useSession<T>(select: (state: SessionState) => T): T {
  const session = useLabSession();
  return useSyncExternalStore(session.subscribe, () => select(session.getState()));
}
