// The first things that Tab reaches: past the bar to where one works. Seen only while they have the focus.

import { useSession } from "../context";
import { focusPane } from "./Frame";
import { PANE_NAMES } from "./layout";
import { useLayout, useLayoutStore } from "./layout_store";

export function SkipLinks() {
  const store = useLayoutStore();
  const present = useLayout((s) => s.present);
  const idle = useSession((s) => s.view === null);
  return (
    <nav className="skip-links" aria-label="Skip to">
      {present.map((pane) => (
        <a
          key={pane}
          href={`#pane-${pane}`}
          onClick={(event) => {
            event.preventDefault();
            store.reveal(pane);
            focusPane(pane);
          }}
        >
          To: {PANE_NAMES[pane]}
        </a>
      ))}
      {idle && <a href="#pane-start">To: Start</a>}
    </nav>
  );
}
