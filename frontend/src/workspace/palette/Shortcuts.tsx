// The list of keyboard shortcuts: those of the page, and those that panes name with what they offer.

import "./palette.css";
import { Fragment } from "react";
import { Dialog } from "../../ui/Dialog";
import { Keys } from "../../ui/Keys";
import { useLabSession } from "../context";
import { MAXIMISE_KEYS } from "../layout/Frame";
import { PALETTE_KEYS, PALETTE_KEYS_IN_TERMINAL } from "./palette_keys";

const OF_THE_PAGE: readonly [keys: readonly string[], does: string][] = [
  [[PALETTE_KEYS], "All commands; in a terminal it is the shell's"],
  [[PALETTE_KEYS_IN_TERMINAL], "All commands, from a terminal too; in the editor it deletes the line"],
  [["F6", "Shift+F6"], "To the next pane, and back; in a terminal it is the shell's"],
  [[MAXIMISE_KEYS], "Fill the window with this pane, and back"],
  [["Esc"], "Back to all panes; in a terminal it is the shell's"],
  [["←", "→", "↑", "↓"], "On a border between panes: move it; with Shift further; Enter folds"],
  [["Ctrl+Shift+↑"], "Out of a terminal, to its tab; Enter goes in again"],
];

export default function Shortcuts({ onClose }: { onClose: () => void }) {
  const session = useLabSession();
  const shown = new Set(OF_THE_PAGE.flatMap(([keys]) => keys));
  const offered = session.commands.list().filter(({ keys }) => keys && !shown.has(keys));
  return (
    <Dialog title="Keyboard shortcuts" className="shortcuts" light onClose={onClose}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and is where reading begins */}
      <section className="shortcuts-list" tabIndex={0} aria-label="Keys" ref={(list) => list?.focus()}>
        <table>
          <tbody>
            {OF_THE_PAGE.map(([keys, does]) => (
              <tr key={does}>
                <th scope="row">
                  {keys.map((one, index) => (
                    <Fragment key={one}>
                      {index > 0 && " "}
                      <Keys keys={one} />
                    </Fragment>
                  ))}
                </th>
                <td>{does}</td>
              </tr>
            ))}
            {offered.map(({ id, title, keys }) => (
              <tr key={id}>
                <th scope="row">
                  <Keys keys={keys ?? ""} />
                </th>
                <td>{title}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <div className="dialog-buttons">
        <button type="button" className="primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
