// The split of this lab's terminals, remembered by the browser.

import { useCallback, useState } from "react";
import { parseSplit, type Split } from "./split";

export function useSplit(lab: string): [Split, (change: (split: Split) => Split) => void] {
  const key = `netlab.terminals.${lab}`;
  const [split, setSplit] = useState(() => parseSplit(localStorage.getItem(key)));
  const change = useCallback(
    (make: (split: Split) => Split) =>
      setSplit((before) => {
        const after = make(before);
        localStorage.setItem(key, JSON.stringify(after));
        return after;
      }),
    [key],
  );
  return [split, change];
}
