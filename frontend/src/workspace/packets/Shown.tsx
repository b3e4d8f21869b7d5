// The list of the chosen captures, of one interface or of two ends, and below it the packet that was picked.

import { type ReactNode, useMemo, useRef, useState } from "react";
import type { CaptureSeen } from "../../api/types";
import { nsBetween, type SeenPacket } from "../../live/packets";
import { useLabSession, useSession } from "../context";
import type { Test } from "./filter";
import { type Flows, flowWords } from "./flows";
import { HELP } from "./help";
import { circumstancesOf, Lines, linesOf, type PacketLine, placeOfCapture } from "./lines";
import { PacketDetail } from "./PacketDetail";
import { PacketList } from "./PacketList";
import { PairList, samePair } from "./PairList";
import { chosenOf, type End, type Pair, pairUp } from "./pairs";
import type { Clock } from "./times";
import { sizeWords } from "./times";
import { type Fetching, usePacketStore } from "./use_captures";

interface ShownProps {
  /** One, or those of both ends; null where there is none yet. */
  captures: readonly (CaptureSeen | null)[];
  test: Test;
  filter: string;
  clock: Clock;
  flows: Flows;
  starting: boolean;
  fetching: Fetching;
}

export function Shown(props: ShownProps) {
  const [a, b] = props.captures;
  if (!a && !b) return <p className="pane-empty">{nothing(props)}</p>;
  if (a && b) return <TwoEnds key={`${a.id} ${b.id}`} {...props} a={a} b={b} />;
  const one = (a ?? b) as CaptureSeen;
  return <OneEnd key={one.id} {...props} capture={one} />;
}

function nothing({ starting }: ShownProps): ReactNode {
  if (starting) return "Starting …";
  return (
    <>
      Start a capture: each packet appears here as it passes, taken apart. Of a link, both ends can be captured side by
      side: which packet arrived, and after how long. <a href={HELP}>How to filter and read them</a>
    </>
  );
}

function OneEnd(props: ShownProps & { capture: CaptureSeen }) {
  const { capture, test, flows } = props;
  const { packets: store } = useLabSession();
  const version = usePacketStore();
  const reader = useLines(capture);
  const [picked, setPicked] = useState<SeenPacket | null>(null);
  const [following, setFollowing] = useState(true);
  const list = store.of(capture.id);
  const { packets } = list;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the store's version says that it has changed
  const all = useMemo(() => reader.of(list), [version, reader]);
  const lines = useMemo(() => linesOf(all, test, flows.followed), [all, test, flows.followed]);
  const line = picked && (all.find((one) => one.packet.number === picked.number) ?? null);
  const pick = (wanted: SeenPacket | null) => {
    setPicked(wanted);
    if (wanted) setFollowing(false);
  };
  const count = lines.reduce((sum, line) => sum + (line.kind === "packet" ? 1 : 0), 0);
  return (
    <>
      <FlowBar flows={flows} lines={lines.filter((line) => line.kind === "packet")} />
      <div className={line ? "packets-work with-detail" : "packets-work"}>
        <PacketList
          label={`Packets at ${placeOfCapture(capture)}`}
          lines={lines}
          first={packets[0]}
          clock={props.clock}
          colourOf={flows.colourOf}
          selected={line?.packet.number ?? null}
          onSelect={pick}
          following={following}
          onFollow={setFollowing}
          empty={emptyWords(packets.length, capture, props)}
        />
        {line && (
          <Detail
            line={line}
            reader={reader}
            at={placeOfCapture(capture)}
            flows={flows}
            fetch={() => props.fetching.fetch(capture.id)}
            onClose={() => pick(null)}
          />
        )}
      </div>
      <ListState
        shown={count}
        all={packets.length}
        following={following}
        onNewest={() => setFollowing(true)}
        live={capture.running}
      />
    </>
  );
}

function TwoEnds(props: ShownProps & { a: CaptureSeen; b: CaptureSeen }) {
  const { a, b, test, flows } = props;
  const { packets: store } = useLabSession();
  const version = usePacketStore();
  const [readerA, readerB] = [useLines(a), useLines(b)];
  const [picked, setPicked] = useState<Pair | null>(null);
  const [side, setSide] = useState<"a" | "b">("a");
  const [onlyLost, setOnlyLost] = useState(false);
  const [following, setFollowing] = useState(true);
  const [listA, listB] = [store.of(a.id), store.of(b.id)];
  const now = useNow(listA.packets.at(-1), listB.packets.at(-1));
  // biome-ignore lint/correctness/useExhaustiveDependencies: the store's version says that it has changed, and its seconds go by
  const all = useMemo(
    () => pairUp({ lines: readerA.of(listA), ...endOf(a) }, { lines: readerB.of(listB), ...endOf(b) }, now()),
    [version, readerA, readerB],
  );
  const pairs = useMemo(() => {
    const passes = (line: PacketLine | null) =>
      line !== null && (!flows.followed || line.d.flow === flows.followed) && test(line.d);
    return all.filter((pair) => (!onlyLost || pair.fate === "lost") && (passes(pair.a) || passes(pair.b)));
  }, [all, test, flows.followed, onlyLost]);
  const lost = useMemo(() => all.filter((pair) => pair.fate === "lost").length, [all]);
  const oneEnd = useMemo(() => all.filter((pair) => pair.fate === "unknown").length, [all]);
  const pair = picked && (all.find((one) => samePair(one, picked)) ?? null);
  const shownSide = pair && !pair[side] ? (side === "a" ? "b" : "a") : side;
  const line = pair?.[shownSide] ?? null;
  const capture = shownSide === "a" ? a : b;
  const pick = (wanted: Pair | null) => {
    setPicked(wanted);
    if (wanted) setFollowing(false);
  };
  const first = earliest(listA.packets[0], listB.packets[0]);
  return (
    <>
      <FlowBar flows={flows} lines={pairs.map(chosenOf)} />
      <div className={line ? "packets-work with-detail" : "packets-work"}>
        <PairList
          ends={[placeOfCapture(a), placeOfCapture(b)]}
          pairs={pairs}
          first={first}
          clock={props.clock}
          colourOf={flows.colourOf}
          selected={pair}
          onSelect={pick}
          following={following}
          onFollow={setFollowing}
          empty={onlyLost ? "Everything has arrived." : emptyWords(all.length, a, props)}
        />
        {pair && line && (
          <Detail
            line={line}
            reader={shownSide === "a" ? readerA : readerB}
            at={placeOfCapture(capture)}
            flows={flows}
            fetch={() => props.fetching.fetch(capture.id)}
            onClose={() => pick(null)}
          >
            {pair.a && pair.b && (
              <button type="button" onClick={() => setSide(shownSide === "a" ? "b" : "a")}>
                As at {placeOfCapture(shownSide === "a" ? b : a)}
              </button>
            )}
          </Detail>
        )}
      </div>
      <ListState
        shown={pairs.length}
        all={all.length}
        following={following}
        onNewest={() => setFollowing(true)}
        live={a.running || b.running}
      >
        {lost === 0 && !onlyLost ? (
          <span className="muted">
            {oneEnd > 0 ? `${oneEnd.toLocaleString("en")} captured at one end only` : "all arrived"}
          </span>
        ) : (
          <button
            type="button"
            className={lost ? "packets-lost" : ""}
            aria-pressed={onlyLost}
            onClick={() => setOnlyLost(!onlyLost)}
          >
            {lost.toLocaleString("en")} not seen at the other end
          </button>
        )}
      </ListState>
    </>
  );
}

function emptyWords(all: number, capture: CaptureSeen, { filter, flows, fetching }: ShownProps): string {
  if (fetching.capture === capture.id) return "Loading what was captured …";
  if (all > 0) return filter || flows.followed ? "No packet passes the filter." : "";
  return capture.running
    ? "Nothing has passed yet. Ping from one node to another."
    : "Nothing passed while it was captured.";
}

function endOf(capture: CaptureSeen): Omit<End, "lines"> {
  return { running: capture.running, startedAt: capture.started_at, missed: capture.missed };
}

function useLines(capture: CaptureSeen): Lines {
  const switches = useSession((s) => s.page.lab.switches);
  const { node, interface: name, link_type } = capture; // these stay; the capture is a new object each second
  return useMemo(
    () => new Lines(circumstancesOf({ node, interface: name, link_type }, switches)),
    [node, name, link_type, switches],
  );
}

/** A time that the host's clock has reached: its newest packet's, and what has gone by here since. */
function useNow(a: SeenPacket | undefined, b: SeenPacket | undefined): () => { atS: number; atNs: number } {
  const newest = a && b ? (nsBetween(a, b) > 0 ? b : a) : (a ?? b);
  const seen = useRef({ packet: newest, at: performance.now() });
  if (seen.current.packet !== newest) seen.current = { packet: newest, at: performance.now() };
  return () => ({
    atS: newest?.atS ?? 0,
    atNs: (newest?.atNs ?? 0) + (performance.now() - seen.current.at) * 1e6,
  });
}

function earliest(a: SeenPacket | undefined, b: SeenPacket | undefined): SeenPacket | undefined {
  if (!a || !b) return a ?? b;
  return nsBetween(a, b) < 0 ? b : a;
}

function FlowBar({ flows, lines }: { flows: Flows; lines: readonly PacketLine[] }) {
  if (!flows.followed) return null;
  const bytes = lines.reduce((sum, line) => sum + line.packet.bytes, 0);
  return (
    <div className="flow-bar small">
      <span className={`flow-sign ${flows.colourOf(flows.followed)}`} aria-hidden="true" />
      <span className="mono">{flowWords(flows.followed)}</span>
      <span className="muted">
        {lines.length.toLocaleString("en")} packets, {sizeWords(bytes)}
      </span>
      <button type="button" className="quiet" onClick={() => flows.follow("")}>
        ✕ All flows
      </button>
    </div>
  );
}

interface DetailProps {
  line: PacketLine;
  reader: Lines;
  at: string;
  flows: Flows;
  fetch: () => void;
  onClose: () => void;
  children?: ReactNode;
}

function Detail({ line: { packet, d }, reader, at, flows, fetch, onClose, children }: DetailProps) {
  return (
    <PacketDetail
      packet={packet}
      where={reader.circumstances}
      at={at}
      onClose={onClose}
      actions={
        <>
          {children}
          {!packet.whole && (
            <button
              type="button"
              onClick={fetch}
              title="Only its first bytes are told live; the file has what was kept"
            >
              Load the rest
            </button>
          )}
          {d.flow && (
            <button
              type="button"
              aria-pressed={flows.followed === d.flow}
              onClick={() => flows.follow(flows.followed === d.flow ? "" : d.flow)}
            >
              Follow the flow
            </button>
          )}
        </>
      }
    />
  );
}

function ListState(props: {
  shown: number;
  all: number;
  following: boolean;
  onNewest: () => void;
  live: boolean;
  children?: ReactNode;
}) {
  return (
    <div className="list-state small">
      <span className="muted">
        {props.shown === props.all
          ? `${props.all.toLocaleString("en")} listed`
          : `${props.shown.toLocaleString("en")} of ${props.all.toLocaleString("en")} listed`}
      </span>
      {props.children}
      <span className="spacer" />
      {!props.following && props.live && (
        <button type="button" onClick={props.onNewest}>
          ↓ Newest
        </button>
      )}
    </div>
  );
}
