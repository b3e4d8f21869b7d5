// The theme for React: redraws when it changes.

import { useSyncExternalStore } from "react";
import { onThemeChange, type Theme, theme } from "./theme";

export function useTheme(): Theme {
  return useSyncExternalStore(onThemeChange, theme);
}
