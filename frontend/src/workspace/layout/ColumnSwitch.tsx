// On a screen too narrow for three columns they lie on a strip: swiped, or chosen here. On a tablet two are seen at once, the
// middle one always; on a phone one.

import { useEffect, useState } from "react";
import { COLUMNS, type Column } from "./layout";
import { scrollTo } from "./layout_store";

const WORDS: Record<Column, string> = { read: "Read", work: "Do", watch: "Watch" };
const SEEN = 0.6;

export function ColumnSwitch() {
  const seen = useSeenColumns();
  return (
    <nav className="column-switch" aria-label="Columns">
      {COLUMNS.map((column) => (
        <button
          type="button"
          key={column}
          data-shows={column}
          aria-pressed={seen.has(column)}
          onClick={() => scrollTo(column)}
        >
          {WORDS[column]}
        </button>
      ))}
    </nav>
  );
}

function useSeenColumns(): ReadonlySet<string> {
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const now = new Set<string>();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const column = (target as HTMLElement).dataset.column ?? "";
          if (isIntersecting) now.add(column);
          else now.delete(column);
        }
        setSeen(new Set(now));
      },
      { threshold: SEEN },
    );
    for (const column of document.querySelectorAll("[data-column]")) observer.observe(column);
    return () => observer.disconnect();
  }, []);
  return seen;
}
