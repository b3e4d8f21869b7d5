// The terminals of the lab: tabs on one side or on two, beside or above each other. All of them stay connected; a screen
// moves from side to side without being drawn anew, since only its place in the grid changes.

import "./terminal.css";
import { type CSSProperties, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import type { Terminal } from "../../api/types";
import { useLabSession, useSession } from "../context";
import type { Signal } from "../signals";
import { SplitDivider } from "./SplitDivider";
import { arranged, move, resized, type Side, show, sideOf, turn, type Way } from "./split";
import { TerminalBar } from "./TerminalBar";
import { TerminalDrops } from "./TerminalDrops";
import { TerminalScreen } from "./TerminalScreen";
import { useTerminalActions } from "./terminal_actions";
import type { TerminalKey } from "./terminal_keys";
import type { TerminalView } from "./terminal_view";
import { tabTitles } from "./titles";
import { useSplit } from "./use_split";

const NONE: Terminal[] = [];
const SIDES: readonly Side[] = [0, 1];

export default function TerminalPane() {
  const session = useLabSession();
  const lab = useSession((s) => s.page.lab.id);
  const runId = useSession((s) => s.view?.run.id ?? "");
  const open = useSession((s) => s.view?.run.terminals ?? NONE);
  const nodes = useSession((s) => s.page.lab.nodes);
  const running = useSession((s) => s.view?.run.state === "running");
  const frozen = useSession((s) => s.view?.run.state === "broken" || s.view?.run.state === "paused");
  const connection = useSession((s) => s.connection);
  const lost = useSession((s) => s.connection === "reconnecting" && s.closeCode === 1006);
  const [split, changeSplit] = useSplit(lab);
  const [dragged, setDragged] = useState("");
  const [searching, setSearching] = useState("");
  const views = useRef(new Map<string, TerminalView>());
  const titles = useMemo(() => tabTitles(open), [open]);
  const names = useMemo(() => [...titles.values()], [titles]);
  const now = arranged(split, names);
  const latest = useRef({ now, names, titles, open });
  latest.current = { now, names, titles, open };
  const byTitle = new Map(open.map((terminal) => [titles.get(terminal.id) ?? "", terminal]));
  const current = byTitle.get(now.shown[now.active]);

  const showTitle = useCallback(
    (title: string, focus: boolean) => {
      const { names: all, open: there, titles: named } = latest.current;
      flushSync(() => changeSplit((before) => show(before, all, title))); // what is typed right after must not be lost
      if (focus) views.current.get(there.find((t) => named.get(t.id) === title)?.id ?? "")?.focus();
    },
    [changeSplit],
  );

  const openOn = useCallback(
    async (node: string, side?: Side, way?: Way) => {
      const id = await session.openTerminal(node);
      if (!id) return undefined;
      const all = tabTitles(session.run?.terminals ?? NONE);
      const title = all.get(id) ?? "";
      const to = side ?? latest.current.now.active;
      changeSplit((before) =>
        to === 1 ? move(before, [...all.values()], title, 1, way) : show(before, [...all.values()], title),
      );
      await new Promise(requestAnimationFrame);
      views.current.get(id)?.focus();
      return views.current.get(id);
    },
    [session, changeSplit],
  );

  /** A terminal of the node that is shown, else its first, else a new one. */
  const reach = useCallback(
    async (node: string): Promise<TerminalView | undefined> => {
      const { now: drawn, titles: named } = latest.current;
      const mine = (session.run?.terminals ?? NONE).filter((t) => t.node === node);
      const seen = [drawn.shown[drawn.active], ...drawn.shown];
      const found = seen.map((title) => mine.find((t) => named.get(t.id) === title)).find(Boolean) ?? mine[0];
      if (!found) return openOn(node);
      const title = named.get(found.id);
      if (title) showTitle(title, false);
      await new Promise(requestAnimationFrame);
      return views.current.get(found.id);
    },
    [session, openOn, showTitle],
  );

  useEffect(() => {
    const receive = async (signal: Signal) => {
      if (signal.to !== "terminals") return;
      const view = await reach(signal.node);
      if (signal.do === "focus") view?.focus();
      else if (view && !view.type(signal.text)) {
        await navigator.clipboard?.writeText(signal.text).catch(() => undefined);
        session.tell(
          `The terminal of ${signal.node} takes one line at a time just now.`,
          "The block was copied instead: paste it where it belongs.",
        );
      }
    };
    return session.signals.receive("terminals", (signal) => void receive(signal));
  }, [session, reach]);

  // The run's own connection is asked now and then whether it lives; a terminal that only listens would notice late.
  useEffect(() => {
    for (const view of views.current.values()) {
      if (lost) view.dropNow();
      else if (connection === "resumed") view.retryNow();
    }
  }, [lost, connection]);

  const onFocus = useCallback(
    (id: string) => {
      const { now: drawn, names: all, titles: named } = latest.current;
      const title = named.get(id);
      if (title && drawn.shown[drawn.active] !== title) changeSplit((before) => show(before, all, title));
    },
    [changeSplit],
  );
  const onKey = useCallback((key: TerminalKey, id: string) => {
    const { now: drawn, titles: named, open: there } = latest.current;
    if (key === "leave") document.getElementById(`tab-${id}`)?.focus();
    else if (key === "search") setSearching(id);
    else if (key === "other-side" && drawn.way !== "one") {
      const other = drawn.shown[sideOf(drawn, named.get(id) ?? "") === 0 ? 1 : 0];
      views.current.get(there.find((t) => named.get(t.id) === other)?.id ?? "")?.focus();
    }
  }, []);

  const splitTo = useCallback(
    (way: Way) => {
      const { names: all, open: there } = latest.current;
      const only = there[0];
      if (way !== "one" && all.length < 2) void (only && openOn(only.node, 1, way));
      else changeSplit((before) => turn(before, all, way));
    },
    [changeSplit, openOn],
  );
  const moveTo = useCallback(
    (title: string, side: Side, way?: Way) => {
      changeSplit((before) => move(before, latest.current.names, title, side, way));
      const { open: there, titles: named } = latest.current;
      requestAnimationFrame(() => views.current.get(there.find((t) => named.get(t.id) === title)?.id ?? "")?.focus());
    },
    [changeSplit],
  );
  const close = (title: string) => {
    const terminal = byTitle.get(title);
    if (terminal) void session.closeTerminal(terminal.id);
  };

  const actionsOf = useTerminalActions({
    now,
    nodes: nodes.map((node) => node.name),
    running,
    current: current ? (titles.get(current.id) ?? "") : "",
    viewOf: (title) => views.current.get(byTitle.get(title)?.id ?? ""),
    onSearch: (title) => setSearching(byTitle.get(title)?.id ?? ""),
    onSplit: splitTo,
    onMove: moveTo,
    onShow: (title) => showTitle(title, true),
    onOpen: (node) => void openOn(node),
    onClose: close,
  });

  const room = { "--first": `${split.percent}fr`, "--rest": `${100 - split.percent}fr` } as CSSProperties;
  return (
    <div className={`pane terminals way-${now.way}`} style={room}>
      {SIDES.map((side) =>
        side === 1 && now.way === "one" ? null : (
          <TerminalBar
            key={side}
            side={side}
            split={now.way !== "one"}
            active={now.active === side}
            terminals={now.sides[side].flatMap((title) => {
              const terminal = byTitle.get(title);
              return terminal ? [{ terminal, title }] : [];
            })}
            shown={now.shown[side]}
            nodes={nodes.map((node) => node.name)}
            running={running}
            actions={actionsOf(now.shown[side])}
            onShow={showTitle}
            onOpen={(node) => void openOn(node, side)}
            onClose={close}
            onDrag={setDragged}
            onSearch={() => setSearching(byTitle.get(now.shown[side])?.id ?? "")}
          />
        ),
      )}
      {open.length === 0 && <p className="pane-empty">No terminal is open.{frozen ? "" : " Open one with +."}</p>}
      {open.map((terminal) => {
        const title = titles.get(terminal.id) ?? "";
        const side = sideOf(now, title);
        return (
          <TerminalScreen
            key={terminal.id}
            run={runId}
            terminal={terminal}
            title={title}
            side={side}
            visible={now.shown[side] === title}
            frozen={frozen}
            searching={searching === terminal.id}
            onSearchEnd={() => setSearching("")}
            views={views.current}
            onFocus={onFocus}
            onKey={onKey}
          />
        );
      })}
      {now.way !== "one" && (
        <SplitDivider
          way={now.way}
          percent={split.percent}
          onChange={(percent) => changeSplit((before) => resized(before, percent))}
        />
      )}
      {dragged && (
        <TerminalDrops
          now={now}
          title={dragged}
          onDrop={(side, way) => {
            setDragged("");
            moveTo(dragged, side, way);
          }}
        />
      )}
    </div>
  );
}
