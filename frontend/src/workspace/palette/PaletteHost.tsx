// Opens the palette and the list of keyboard shortcuts, by key, by button, by command. Their code is loaded when they are
// first asked for.

import { createContext, lazy, type ReactNode, Suspense, useContext, useEffect, useMemo, useState } from "react";
import { useCommands } from "../commands";
import { opensPalette, whereIs } from "./palette_keys";

const Palette = lazy(() => import("./Palette"));
const Shortcuts = lazy(() => import("./Shortcuts"));

type Open = "palette" | "shortcuts" | null;
const PaletteContext = createContext<(open: Open) => void>(() => undefined);

export function usePalette(): (open: Open) => void {
  return useContext(PaletteContext);
}

export function PaletteHost({ children }: { children: ReactNode }) {
  const [open, setOpen] = useState<Open>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!opensPalette(event, whereIs(event.target))) return;
      event.preventDefault();
      event.stopPropagation(); // neither the shell nor the editor has it as well
      if (!document.querySelector("dialog[open]")) setOpen("palette");
    };
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, []);
  useCommands("palette", [
    { id: "view.shortcuts", title: "Keyboard shortcuts", group: "View", run: () => setOpen("shortcuts") },
  ]);
  const close = useMemo(() => () => setOpen(null), []);
  return (
    <PaletteContext value={setOpen}>
      {children}
      <Suspense>
        {open === "palette" && <Palette onClose={close} />}
        {open === "shortcuts" && <Shortcuts onClose={close} />}
      </Suspense>
    </PaletteContext>
  );
}
