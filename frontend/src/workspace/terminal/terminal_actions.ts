// What can be done with a terminal, twice: as the items of its own menu, and as commands of the palette for the one that
// was last typed in.

import { useSyncExternalStore } from "react";
import type { MenuItem } from "../../ui/Menu";
import { type Command, useCommands } from "../commands";
import { useLabSession } from "../context";
import { FONT_PX, preferences, resizeText } from "./preferences";
import { type Arrangement, type Side, sideOf, type Way } from "./split";
import type { TerminalView } from "./terminal_view";

interface Doors {
  now: Arrangement;
  nodes: readonly string[];
  running: boolean;
  /** The title of the terminal that was last typed in, '' without any. */
  current: string;
  viewOf: (title: string) => TerminalView | undefined;
  onSearch: (title: string) => void;
  onSplit: (way: Way) => void;
  onMove: (title: string, side: Side, way?: Way) => void;
  onShow: (title: string) => void;
  onOpen: (node: string) => void;
  onClose: (title: string) => void;
}

interface Action {
  id: string;
  /** In the palette; in the menu `words`, which know which terminal is meant. */
  title: string;
  words: string;
  keys?: string | undefined;
  off?: string | undefined;
  run: () => void;
}

const WAYS: readonly { way: Way; id: string; words: string }[] = [
  { way: "columns", id: "terminal.split-columns", words: "Two side by side" },
  { way: "rows", id: "terminal.split-rows", words: "Two, one above the other" },
  { way: "one", id: "terminal.unsplit", words: "One at a time" },
];

/** The items of the menu of the terminal with that title. */
export function useTerminalActions(doors: Doors): (title: string) => MenuItem[] {
  const session = useLabSession();
  const { fontPx, screenReader } = useSyncExternalStore(preferences.subscribe, preferences.get);
  const paste = async (title: string) => {
    if (!(await doors.viewOf(title)?.pasteFromClipboard())) {
      session.tell("The browser does not let the page read the clipboard.", "Paste with Ctrl+Shift+V.");
    }
  };

  const actions = (title: string): Action[] => {
    const { now } = doors;
    const to: Side = sideOf(now, title) === 0 ? 1 : 0;
    const alone = now.way === "one" && now.sides[0].length < 2 ? "it is the only terminal" : undefined;
    return [
      {
        id: "terminal.search",
        title: `Search in terminal ${title}`,
        words: "Search",
        keys: "Ctrl+Shift+F",
        run: () => doors.onSearch(title),
      },
      {
        id: "terminal.copy",
        title: "Copy what is selected in the terminal",
        words: "Copy",
        keys: "Ctrl+Shift+C",
        run: () => {
          if (!doors.viewOf(title)?.copy())
            session.tell("Nothing is selected in the terminal.", "Drag over text to select it.");
        },
      },
      {
        id: "terminal.paste",
        title: `Paste into terminal ${title}`,
        words: "Paste",
        keys: "Ctrl+Shift+V",
        off: doors.running ? undefined : "the lab does not run",
        run: () => void paste(title),
      },
      ...WAYS.filter(({ way }) => way !== now.way).map(({ way, id, words }) => ({
        id,
        title: `Terminals: ${words.toLowerCase()}`,
        words,
        off: alone && !doors.running ? alone : undefined,
        run: () => doors.onSplit(way),
      })),
      {
        id: "terminal.move",
        title: `Move terminal ${title} to the other side`,
        words: "Move to the other side",
        off: alone,
        run: () => doors.onMove(title, to),
      },
      {
        id: "terminal.larger",
        title: "Larger text in terminals",
        words: "Larger text",
        keys: "Ctrl++",
        off: fontPx >= FONT_PX.max ? "it is the largest" : undefined,
        run: () => resizeText(1),
      },
      {
        id: "terminal.smaller",
        title: "Smaller text in terminals",
        words: "Smaller text",
        keys: "Ctrl+-",
        off: fontPx <= FONT_PX.min ? "it is the smallest" : undefined,
        run: () => resizeText(-1),
      },
      {
        id: "terminal.screen-reader",
        title: screenReader ? "Terminals without a screen reader" : "Terminals for a screen reader",
        words: screenReader ? "Screen reader: on" : "Screen reader: off",
        run: () => preferences.change({ screenReader: !screenReader }),
      },
    ];
  };

  const commands: Command[] = [
    ...doors.nodes.map((node) => ({
      id: `terminal.open.${node}`,
      title: `Open a terminal on ${node}`,
      off: doors.running ? undefined : "the lab does not run",
      run: () => doors.onOpen(node),
    })),
    ...doors.now.sides.flat().map((title) => ({
      id: `terminal.show.${title}`,
      title: `Go to terminal ${title}`,
      run: () => doors.onShow(title),
    })),
    ...(doors.current ? actions(doors.current) : []),
    {
      id: "terminal.normal-size",
      title: "Normal text in terminals",
      keys: "Ctrl+0",
      off: fontPx === FONT_PX.normal ? "it is so" : undefined,
      run: () => resizeText(0),
    },
    ...(doors.current
      ? [
          {
            id: "terminal.close",
            title: `Close terminal ${doors.current}`,
            run: () => doors.onClose(doors.current),
          },
        ]
      : []),
  ].map(asCommand);
  useCommands("terminals", commands);

  return (title) =>
    actions(title).map(({ words, keys, off, run }) => ({
      label: words,
      disabled: off !== undefined,
      onSelect: run,
      ...(keys ? { detail: keys } : {}),
    }));
}

function asCommand({ id, title, keys, off, run }: Omit<Action, "words">): Command {
  return { id, title, group: "Terminals", ...(keys ? { keys } : {}), ...(off ? { off } : {}), run };
}
