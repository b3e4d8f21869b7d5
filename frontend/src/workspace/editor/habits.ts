// How this browser's editor is used: whether Tab indents, whether vim's keys are wanted. Kept in the browser.

import type { Extension } from "@codemirror/state";
import { useEffect, useMemo, useState } from "react";
import type { EditorHabits } from "./codemirror";

const KEYS = { tabIndents: "netlab.editor.tab-indents", vim: "netlab.editor.vim" } as const;
type Habit = keyof typeof KEYS;

export interface Habits extends EditorHabits {
  wantsVim: boolean;
}

export function useHabits(): { habits: Habits; toggle: (habit: Habit) => void } {
  const [wanted, setWanted] = useState(() => ({ tabIndents: isOn("tabIndents"), vim: isOn("vim") }));
  const [vim, setVim] = useState<Extension | null>(null);

  useEffect(() => {
    if (!wanted.vim || vim) return;
    let left = false;
    void loadVim().then((loaded) => {
      if (!left) setVim(loaded);
    });
    return () => {
      left = true;
    };
  }, [wanted.vim, vim]);

  const toggle = (habit: Habit) => {
    const on = !wanted[habit];
    localStorage.setItem(KEYS[habit], on ? "1" : "0");
    setWanted({ ...wanted, [habit]: on });
  };
  const habits = useMemo(
    () => ({ tabIndents: wanted.tabIndents, wantsVim: wanted.vim, vim: wanted.vim ? vim : null }),
    [wanted, vim],
  );
  return { habits, toggle };
}

function isOn(habit: Habit): boolean {
  return localStorage.getItem(KEYS[habit]) === "1";
}

async function loadVim(): Promise<Extension> {
  const { vim } = await import("@replit/codemirror-vim");
  return vim({ status: true });
}
