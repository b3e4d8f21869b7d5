// The command palette: a field, and under it what it finds among all that the panes offer. A combobox with a list box: the
// focus stays in the field, arrows choose, Enter runs. What cannot be done now is there with its reason.

import "./palette.css";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { Dialog } from "../../ui/Dialog";
import { Keys } from "../../ui/Keys";
import type { Command } from "../commands";
import { useLabSession } from "../context";
import { type Choice, choicesFor } from "./choices";
import { PALETTE_KEYS_IN_TERMINAL } from "./palette_keys";

const PAGE = 8;

export default function Palette({ onClose }: { onClose: () => void }) {
  const session = useLabSession();
  const [query, setQuery] = useState("");
  const [picked, setAt] = useState<number | null>(null);
  const commands = useMemo(() => session.commands.list(), [session]);
  const groups = useMemo(() => choicesFor(commands, query), [commands, query]);
  const flat = groups.flatMap((group) => group.choices);
  const first = flat.findIndex(({ command }) => !command.off);
  const at = picked ?? Math.max(0, first);
  const chosen = flat[at];

  const run = (command: Command) => {
    if (command.off) return;
    onClose();
    // after the dialog has given the focus back, so that what the command focuses keeps it
    requestAnimationFrame(() => requestAnimationFrame(() => session.commands.run(command.id)));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const to = {
      ArrowDown: (at + 1) % flat.length,
      ArrowUp: (at - 1 + flat.length) % flat.length,
      PageDown: Math.min(at + PAGE, flat.length - 1),
      PageUp: Math.max(at - PAGE, 0),
    }[event.key];
    if (to !== undefined && flat.length) setAt(to);
    else if (event.key === "Enter" && chosen) run(chosen.command);
    else return;
    event.preventDefault();
  };

  return (
    <Dialog title="Commands" className="palette" light onClose={onClose}>
      <input
        type="text"
        role="combobox"
        aria-label="Search commands"
        aria-expanded
        aria-controls="palette-list"
        aria-autocomplete="list"
        aria-activedescendant={chosen && optionId(chosen)}
        placeholder="What do you want to do?"
        autoComplete="off"
        spellCheck={false}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(null);
        }}
        onKeyDown={onKeyDown}
      />
      <div id="palette-list" role="listbox" aria-label="Commands" className="palette-list">
        {groups.map((group) => (
          // biome-ignore lint/a11y/useSemanticElements: a group of a list box, not of fields
          <div key={group.name} role="group" aria-label={group.name || "Found"}>
            {group.name && (
              <p className="palette-group" aria-hidden="true">
                {group.name}
              </p>
            )}
            {group.choices.map((choice) => (
              <Option
                key={choice.command.id}
                choice={choice}
                chosen={choice === chosen}
                withGroup={group.name === ""}
                onPoint={() => setAt(flat.indexOf(choice))}
                onRun={() => run(choice.command)}
              />
            ))}
          </div>
        ))}
      </div>
      {flat.length === 0 && <p className="palette-none">Nothing here is called that.</p>}
      <p className="palette-foot muted small">
        <span role="status" className="visually-hidden">
          {flat.length} {flat.length === 1 ? "command" : "commands"}
        </span>
        <Keys keys="↑" /> <Keys keys="↓" /> choose, <Keys keys="Enter" /> runs, <Keys keys="Esc" /> closes. In a
        terminal it opens with <Keys keys={PALETTE_KEYS_IN_TERMINAL} />.
      </p>
    </Dialog>
  );
}

interface OptionProps {
  choice: Choice;
  chosen: boolean;
  withGroup: boolean;
  onPoint: () => void;
  onRun: () => void;
}

function Option({ choice, chosen, withGroup, onPoint, onRun }: OptionProps) {
  const { command, at } = choice;
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (chosen) element.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the chosen one
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
    <div
      id={optionId(choice)}
      ref={element}
      role="option"
      aria-selected={chosen}
      aria-disabled={command.off !== undefined}
      className="palette-option"
      onPointerMove={chosen ? undefined : onPoint}
      onClick={onRun}
    >
      <span className="palette-title">
        <Typed text={command.title} at={at} />
      </span>
      {command.off && <span className="muted small">{command.off}</span>}
      {withGroup && !command.off && <span className="muted small">{command.group}</span>}
      {command.keys && <Keys keys={command.keys} />}
    </div>
  );
}

/** The title with the letters that were typed in bold, in runs, so that a screen reader does not spell it. */
function Typed({ text, at }: { text: string; at: readonly number[] }) {
  if (at.length === 0) return text;
  const hit = new Set(at);
  const runs: { from: number; text: string; bold: boolean }[] = [];
  for (let i = 0; i < text.length; i++) {
    const last = runs.at(-1);
    if (last && last.bold === hit.has(i)) last.text += text[i];
    else runs.push({ from: i, text: text[i] as string, bold: hit.has(i) });
  }
  return runs.map((run) => (run.bold ? <b key={run.from}>{run.text}</b> : <span key={run.from}>{run.text}</span>));
}

function optionId({ command }: Choice): string {
  return `palette-${command.id.replace(/[^\w-]/g, "_")}`;
}
