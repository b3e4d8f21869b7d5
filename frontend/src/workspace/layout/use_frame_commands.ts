// What the frame offers to the palette: presets, panes, themes, the way from step to step.

import { setTheme, THEMES, type Theme } from "../../ui/theme";
import { useTheme } from "../../ui/use_theme";
import { type Command, useCommands } from "../commands";
import { useLabSession, useSession } from "../context";
import { focusPane, MAXIMISE_KEYS } from "./Frame";
import { canFold, isPreset, PANE_NAMES, type Pane, type Preset } from "./layout";
import { isFolded, type LayoutState, type LayoutStore, useLayout, useLayoutStore } from "./layout_store";

export const PRESET_WORDS: Record<Preset, [name: string, title: string]> = {
  follow: ["Follow", "Instructions and terminals wide, the editor folded"],
  code: ["Code", "The editor wide"],
  watch: ["Watch", "Topology and counters wide"],
  even: ["Even", "As it is at first"],
};

export function useFrameCommands(): void {
  const store = useLayoutStore();
  const state = useLayout((s) => s);
  const theme = useTheme();
  useCommands("layout", [
    ...presetCommands(store, state),
    ...state.present.flatMap((p) => paneCommands(store, state, p)),
  ]);
  useCommands(
    "themes",
    (Object.keys(THEMES) as Theme[]).map((one) => ({
      id: `theme.${one}`,
      title: `Theme: ${THEMES[one]}`,
      group: "View",
      ...off(theme === one ? "it is on" : ""),
      run: () => setTheme(one),
    })),
  );
  useStepCommands();
}

/** Beside going to a certain step, which the instructions offer. */
function useStepCommands(): void {
  const session = useLabSession();
  const steps = useSession((s) => s.page.lab.steps);
  const at = useSession((s) => s.page.lab.steps.findIndex((step) => step.id === s.step));
  const running = useSession((s) => s.view?.run.state === "running");
  const open = (index: number) => void session.openStep(steps[index]?.id ?? "");
  useCommands("frame.steps", [
    {
      id: "steps.next",
      title: "Next step",
      group: "Steps",
      ...off(at === steps.length - 1 ? "it is the last" : ""),
      run: () => open(at + 1),
    },
    {
      id: "steps.previous",
      title: "Previous step",
      group: "Steps",
      ...off(at <= 0 ? "it is the first" : ""),
      run: () => open(at - 1),
    },
    {
      id: "steps.check",
      title: "Check this step now",
      group: "Steps",
      ...off(running ? (steps[at]?.checks.length ? "" : "there is nothing to check in it") : "the lab does not run"),
      run: () => void session.runCheck(),
    },
  ]);
}

function presetCommands(store: LayoutStore, state: LayoutState): Command[] {
  return (Object.keys(PRESET_WORDS) as Preset[]).map((preset) => ({
    id: `layout.${preset}`,
    title: `Layout ${PRESET_WORDS[preset][0]}: ${PRESET_WORDS[preset][1]}`,
    group: "View",
    ...off(state.narrow ? "the screen is too narrow" : isPreset(state.layout, preset) ? "it is so" : ""),
    run: () => store.apply(preset),
  }));
}

function paneCommands(store: LayoutStore, state: LayoutState, pane: Pane): Command[] {
  const name = PANE_NAMES[pane];
  const maximised = state.maximised === pane;
  const folded = isFolded(state, pane);
  return [
    {
      id: `layout.go.${pane}`,
      title: `Go to: ${name}`,
      group: "View",
      run: () => {
        store.reveal(pane);
        focusPane(pane);
      },
    },
    {
      id: `layout.maximise.${pane}`,
      title: maximised ? "Back to all panes" : `Fill the window: ${name}`,
      group: "View",
      keys: MAXIMISE_KEYS,
      run: () => {
        store.maximise(maximised ? null : pane);
        focusPane(pane);
      },
    },
    {
      id: `layout.fold.${pane}`,
      title: `${folded ? "Unfold" : "Fold"}: ${name}`,
      group: "View",
      ...off(
        state.narrow
          ? "the screen is too narrow"
          : folded || canFold(state.layout, state.present, pane)
            ? ""
            : "it is the last one open",
      ),
      run: () => {
        store.toggleFold(pane);
        focusPane(pane);
      },
    },
  ];
}

function off(reason: string): { off?: string } {
  return reason ? { off: reason } : {};
}
