// The bar's buttons that are about the page and not about the lab: layout presets, the palette, the theme.

import { Icon } from "../../ui/Icon";
import { Menu } from "../../ui/Menu";
import { setTheme, THEMES, type Theme } from "../../ui/theme";
import { useTheme } from "../../ui/use_theme";
import { isPreset, type Preset } from "../layout/layout";
import { useLayout, useLayoutStore } from "../layout/layout_store";
import { PRESET_WORDS } from "../layout/use_frame_commands";
import { usePalette } from "../palette/PaletteHost";
import { PALETTE_KEYS, PALETTE_KEYS_IN_TERMINAL } from "../palette/palette_keys";

const IN_THE_BAR: readonly Preset[] = ["follow", "code", "watch"];

/** Pressed again, a preset gives the first layout back. */
export function LayoutPresets() {
  const store = useLayoutStore();
  const layout = useLayout((s) => s.layout);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a group of buttons, no fields
    <div className="presets" role="group" aria-label="Layout">
      {IN_THE_BAR.map((preset) => {
        const on = isPreset(layout, preset);
        return (
          <button
            type="button"
            key={preset}
            aria-pressed={on}
            title={PRESET_WORDS[preset][1]}
            onClick={() => store.apply(on ? "even" : preset)}
          >
            {PRESET_WORDS[preset][0]}
          </button>
        );
      })}
    </div>
  );
}

export function PaletteButton() {
  const open = usePalette();
  return (
    <button
      type="button"
      className="palette-button"
      aria-keyshortcuts="Control+K"
      title={`All commands (${PALETTE_KEYS}; from a terminal ${PALETTE_KEYS_IN_TERMINAL})`}
      onClick={() => open("palette")}
    >
      <Icon name="search" />
      <span className="visually-hidden">All commands </span>
      <kbd>{PALETTE_KEYS}</kbd>
    </button>
  );
}

export function ThemeMenu() {
  const chosen = useTheme();
  return (
    <Menu
      label={<Icon name="theme" />}
      title={`Theme: ${THEMES[chosen]}`}
      className="icon"
      alignEnd
      items={(Object.keys(THEMES) as Theme[]).map((theme) => ({
        label: THEMES[theme],
        checked: theme === chosen,
        onSelect: () => setTheme(theme),
      }))}
    />
  );
}
