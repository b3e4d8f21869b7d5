// The terminal's colours from the design tokens.

import type { ISearchDecorationOptions } from "@xterm/addon-search";
import type { ITheme } from "@xterm/xterm";
import { token } from "../../ui/theme";

const ANSI = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;

export function terminalTheme(): ITheme {
  const theme: ITheme = {
    background: token("term-bg"),
    foreground: token("term-fg"),
    cursor: token("term-cursor"),
    cursorAccent: token("term-bg"),
    selectionBackground: token("term-selection"),
  };
  for (const name of ANSI) {
    theme[name] = token(`term-${name}`);
    theme[`bright${name[0]?.toUpperCase()}${name.slice(1)}` as "brightRed"] = token(`term-bright-${name}`);
  }
  return theme;
}

/** Everything that was found, and the one that is looked at. */
export function searchColours(): ISearchDecorationOptions {
  return {
    matchBackground: token("warn-soft"),
    matchBorder: token("warn"),
    matchOverviewRuler: token("warn"),
    activeMatchBackground: token("term-selection"),
    activeMatchBorder: token("accent"),
    activeMatchColorOverviewRuler: token("accent"),
  };
}
