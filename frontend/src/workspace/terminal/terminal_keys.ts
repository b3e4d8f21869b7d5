// Which keys the page keeps for itself while a terminal has the focus; everything else is the shell's. Pure.
// Ctrl+C is not among them: it stays the interrupt. On macOS Cmd+C and Cmd+V are the browser's own and reach xterm as
// events of the clipboard.

export type TerminalKey = "leave" | "other-side" | "search" | "copy" | "paste" | "larger" | "smaller" | "normal";

interface Pressed {
  code: string;
  key: string;
  ctrlKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

const WITH_SHIFT: Record<string, TerminalKey> = {
  ArrowUp: "leave",
  ArrowLeft: "other-side",
  ArrowRight: "other-side",
  KeyF: "search",
  KeyC: "copy",
  KeyV: "paste",
};
/** By what is printed on them: their place differs from one layout to the next. */
const SIZES: Record<string, TerminalKey> = { "+": "larger", "=": "larger", "-": "smaller", "0": "normal" };

export function terminalKey(event: Pressed, mac: boolean): TerminalKey | null {
  if (event.altKey) return null;
  const command = mac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
  const size = SIZES[event.key];
  if (command && size && (size === "larger" || !event.shiftKey)) return size; // Ctrl+Shift+- is readline's undo
  if (mac && event.metaKey && event.code === "KeyF" && !event.shiftKey) return "search";
  if (event.key === "Insert" && !event.metaKey) {
    if (event.ctrlKey && !event.shiftKey) return "copy";
    if (event.shiftKey && !event.ctrlKey) return "paste";
  }
  if (!event.ctrlKey || !event.shiftKey || event.metaKey) return null;
  return WITH_SHIFT[event.code] ?? null;
}
