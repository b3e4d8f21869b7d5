// What the tabs say: a terminal's title, numbered where two would say the same. Pure.

import type { Terminal } from "../../api/types";

export function tabTitles(terminals: readonly Terminal[]): Map<string, string> {
  const seen = new Map<string, number>();
  return new Map(
    terminals.map((t) => {
      const title = t.title.toLowerCase() === t.node ? t.node : t.title || t.node; // a node's own title says no more
      const number = (seen.get(title) ?? 0) + 1;
      seen.set(title, number);
      return [t.id, number === 1 ? title : `${title} ${number}`];
    }),
  );
}
