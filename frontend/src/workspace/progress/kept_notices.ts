// Messages that nobody has closed yet, kept over a reload of the tab; closed ones stay closed. Used by the session alone. What
// the page has said about itself (a refused paste) is not kept: it was about a page that is gone.

import type { Notice } from "../../live/run_reducer";

const KEY = "netlab.notices";
const OF_THE_PAGE = "local-";

interface Kept {
  run: string;
  notices: Notice[];
}

type Store = Pick<Storage, "getItem" | "setItem">;

export function keepNotices(store: Store, run: string, notices: readonly Notice[]): void {
  const kept: Kept = { run, notices: notices.filter((notice) => !notice.id.startsWith(OF_THE_PAGE)) };
  try {
    store.setItem(KEY, JSON.stringify(kept));
  } catch {
    // full, or forbidden by the browser's settings: then a reload forgets them
  }
}

/** Of that run alone; a tab knows of one. */
export function keptNotices(store: Store, run: string): Notice[] {
  try {
    const kept = JSON.parse(store.getItem(KEY) ?? "null") as Kept | null;
    return kept?.run === run ? kept.notices.filter((notice) => typeof notice.text === "string") : [];
  } catch {
    return [];
  }
}
