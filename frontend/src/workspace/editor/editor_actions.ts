// What can be done in the editor, twice: as the items of its menu and as commands of the palette.

import { nextDiagnostic, previousDiagnostic } from "@codemirror/lint";
import type { FileInfo, Originals } from "../../api/types";
import type { MenuItem } from "../../ui/Menu";
import { type Command, useCommands } from "../commands";
import { useSession } from "../context";
import { STARTER } from "./CompareBar";
import type { DeskState, EditorDesk } from "./desk";
import type { Habits } from "./habits";
import { languageName } from "./languages";
import { textOf } from "./originals";

interface Doors {
  desk: EditorDesk | null;
  state: DeskState;
  files: readonly FileInfo[];
  originals: Originals;
  habits: Habits;
  toggle: (habit: "tabIndents" | "vim") => void;
}

interface Action {
  id: string;
  title: string;
  /** In the menu, where it stands under "Editor". */
  words: string;
  keys?: string | undefined;
  off?: string | undefined;
  run: () => void;
}

export function useEditorActions({ desk, state, files, originals, habits, toggle }: Doors): MenuItem[] {
  const step = useSession((s) => s.page.lab.steps.findIndex((one) => one.id === s.step) + 1);
  const running = useSession((s) => s.view?.run.state === "running");
  const { path } = state;
  const starter = textOf(originals.starter, path);
  const solution = textOf(originals.solution, path);
  const noSolution = originals.may_see_solution
    ? `the solution has no ${path}`
    : "the instructor does not show solutions";

  const actions: Action[] = [
    {
      id: "editor.format",
      title: `Format ${path} as the kernel does`,
      words: "Format",
      keys: "Shift+Alt+F",
      off: languageName(path) !== "c" ? "only C is formatted" : running ? undefined : "the lab does not run",
      run: () => void desk?.format(),
    },
    {
      id: "editor.next-problem",
      title: "Next problem",
      words: "Next problem",
      keys: "F8",
      run: () => desk?.command(nextDiagnostic),
    },
    {
      id: "editor.previous-problem",
      title: "Previous problem",
      words: "Previous problem",
      keys: "Shift+F8",
      run: () => desk?.command(previousDiagnostic),
    },
    {
      id: "editor.registers",
      title: "What the verifier knew of the registers on this line",
      words: "Registers on this line",
      keys: "F9",
      run: () => desk?.showRegisters(),
    },
    {
      id: "editor.compare-starter",
      title: `Compare ${path} with the starter`,
      words: "Compare with the starter",
      off: starter === null ? "the lab has no such file" : undefined,
      run: () => desk?.compare({ words: STARTER, text: starter ?? "" }, "Take the starter's"),
    },
    {
      id: "editor.compare-solution",
      title: `Compare ${path} with the solution of step ${step}`,
      words: `Compare with the solution of step ${step}`,
      off: solution === null ? noSolution : undefined,
      run: () => desk?.compare({ words: `the solution of step ${step}`, text: solution ?? "" }, "Take the solution's"),
    },
    {
      id: "editor.vim",
      title: habits.wantsVim ? "The editor without vim's keys" : "Vim's keys in the editor",
      words: habits.wantsVim ? "Vim's keys: on" : "Vim's keys: off",
      run: () => toggle("vim"),
    },
    {
      id: "editor.tab",
      title: habits.tabIndents ? "Tab leaves the editor" : "Tab indents in the editor (Escape, then Tab leaves it)",
      words: habits.tabIndents ? "Tab indents: on" : "Tab indents: off",
      run: () => toggle("tabIndents"),
    },
  ];

  useCommands("editor", [
    ...files.map((file) => ({
      id: `editor.open.${file.path}`,
      title: `Open ${file.path}`,
      group: "Editor" as const,
      run: () => {
        void desk?.open(file.path).then(() => desk.focus());
      },
    })),
    ...actions.map(asCommand),
  ]);

  return actions
    .filter(({ id }) => id !== "editor.compare-solution" || originals.may_see_solution)
    .map(({ words, keys, off, run }) => ({
      label: words,
      disabled: off !== undefined,
      onSelect: run,
      ...(keys ? { detail: keys } : {}),
    }));
}

function asCommand({ id, title, keys, off, run }: Action): Command {
  return { id, title, group: "Editor", ...(keys ? { keys } : {}), ...(off ? { off } : {}), run };
}
