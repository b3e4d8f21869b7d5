// Which press opens the palette. Ctrl+K is the shell's (readline kills the line with it) while a terminal has the focus;
// Ctrl+Shift+K deletes a line in the editor. So each of them opens the palette wherever it does not belong to somebody, and
// from everywhere one of them does. Cmd+K, on a Mac, belongs to nobody. Pure.

interface Pressed {
  key: string;
  ctrlKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

export const PALETTE_KEYS = "Ctrl+K";
export const PALETTE_KEYS_IN_TERMINAL = "Ctrl+Shift+K";

export function opensPalette(event: Pressed, where: "terminal" | "editor" | "elsewhere"): boolean {
  if (event.key.toLowerCase() !== "k" || event.altKey) return false;
  if (event.metaKey) return !event.ctrlKey && !event.shiftKey;
  if (!event.ctrlKey) return false;
  return event.shiftKey ? where !== "editor" : where !== "terminal";
}

export function whereIs(target: EventTarget | null): "terminal" | "editor" | "elsewhere" {
  if (!(target instanceof Element)) return "elsewhere";
  if (target.closest(".xterm")) return "terminal";
  return target.closest(".cm-editor") ? "editor" : "elsewhere";
}
