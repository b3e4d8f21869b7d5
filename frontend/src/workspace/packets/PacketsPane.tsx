// Packets of an interface, or of both ends of a link, live: captured on the host, taken apart here. Loaded when it is first
// shown; what it shows comes from the session's packet store.

import "./packets.css";
import { useEffect, useMemo, useRef, useState } from "react";
import { api } from "../../api/client";
import type { CaptureSeen } from "../../api/types";
import { useCommands } from "../commands";
import { useLabSession, useSession } from "../context";
import { useCounterSchema } from "../counters/use_schema";
import { CaptureBar, CaptureState } from "./CaptureBar";
import { FilterBox } from "./FilterBox";
import { parseFilter, type Test } from "./filter";
import { useFlows } from "./flows";
import { HELP } from "./help";
import { type Choice, keepChoice, keptChoice } from "./kept_choice";
import { notShown, placeOfCapture } from "./lines";
import { type Place, placesOf } from "./places";
import { Shown } from "./Shown";
import { CLOCK_WORDS, type Clock } from "./times";
import { capturesAt, useCaptureControl, useFetching, usePacketStore, useRefill } from "./use_captures";

const FILTER_ID = "packet-filter";
const DEFAULT_SNAP = 256;
const AT_ONCE = 4;

interface PacketsPaneProps {
  /** Where another pane asked for a capture. */
  asked: Place | null;
  onTaken: () => void;
}

export default function PacketsPane({ asked, onTaken }: PacketsPaneProps) {
  const session = useLabSession();
  const runId = useSession((s) => s.view?.run.id ?? "");
  const state = useSession((s) => s.view?.run.state ?? null);
  const lab = useSession((s) => s.page.lab);
  const schema = useCounterSchema(session.counters);
  const places = useMemo(() => placesOf(lab, schema), [lab, schema]);
  const [choice, choose] = useChoice(runId, places.links[0] ?? places.interfaces[0] ?? []);
  const [shownIds, setShownIds] = useState<readonly string[] | null>(null);
  const control = useCaptureControl();
  const fetching = useFetching();
  const version = usePacketStore();
  const { captures: kept } = session.packets;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the store's version says that it has changed
  const shown = useMemo(() => {
    const wanted = shownIds?.map((id) => kept?.find((capture) => capture.id === id) ?? null);
    return wanted?.every((one) => one !== null) ? wanted : capturesAt(kept, choice.place);
  }, [version, kept, shownIds, choice.place]);
  const there = shown.filter((capture): capture is CaptureSeen => capture !== null);
  useRefill(shown, fetching);
  const test = useTest(choice.filter);
  const flows = useFlows();

  const running = there.filter((capture) => capture.running);
  const atWork = kept?.filter((capture) => capture.running).length ?? 0;
  const off =
    state !== "running"
      ? "The lab does not run"
      : atWork + choice.place.length - running.length > AT_ONCE
        ? `${AT_ONCE} captures are at work: stop one of them first`
        : "";
  const start = (place: Place) => {
    setShownIds(null);
    flows.follow("");
    void control.start(place, choice.snap);
  };
  const stop = () => void control.stop(running);
  const goTo = (place: Place) => {
    setShownIds(null);
    flows.follow("");
    choose({ place });
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each time that it is asked
  useEffect(() => {
    if (!asked) return;
    goTo(asked);
    start(asked);
    onTaken();
  }, [asked]);

  useCommands("packets", [
    ...(running.length
      ? [{ id: "packets.stop", title: "Stop the capture", group: "Counters" as const, run: stop }]
      : [
          {
            id: "packets.start",
            title: "Start the capture",
            group: "Counters" as const,
            ...(off ? { off } : {}),
            run: () => start(choice.place),
          },
        ]),
    {
      id: "packets.filter",
      title: "Filter the packets",
      group: "Counters",
      run: () => document.getElementById(FILTER_ID)?.focus(),
    },
    ...(choice.filter
      ? [
          {
            id: "packets.unfilter",
            title: "Show all packets",
            group: "Counters" as const,
            run: () => choose({ filter: "" }),
          },
        ]
      : []),
    ...(Object.keys(CLOCK_WORDS) as Clock[]).map((clock) => ({
      id: `packets.clock.${clock}`,
      title: `Packets' time: ${CLOCK_WORDS[clock].toLowerCase()}`,
      group: "Counters" as const,
      run: () => choose({ clock }),
    })),
    ...there.map((capture) => ({
      id: `packets.download.${placeOfCapture(capture)}`,
      title: `Download the packets of ${placeOfCapture(capture)} (pcapng)`,
      group: "Counters" as const,
      run: () => download(api.captureUrl(runId, capture.id)),
    })),
    {
      id: "packets.help",
      title: "Help: filter and read packets",
      group: "Counters",
      run: () => window.open(HELP, "_blank", "noreferrer"),
    },
    ...(flows.followed
      ? [{ id: "packets.unfollow", title: "Show all flows", group: "Counters" as const, run: () => flows.follow("") }]
      : []),
  ]);

  return (
    <section className="packets-pane" aria-label="Packets">
      <CaptureBar
        places={places}
        place={shownIds ? there.map(placeOfCapture) : choice.place}
        onPlace={goTo}
        snap={choice.snap}
        onSnap={(snap) => choose({ snap })}
        clock={choice.clock}
        onClock={(clock) => choose({ clock })}
        running={running.length > 0}
        starting={control.starting}
        off={off}
        onStart={() => start(choice.place)}
        onStop={stop}
        kept={kept ?? []}
        shown={there.map((capture) => capture.id)}
        onShow={(capture) => {
          setShownIds([capture.id]);
          choose({ place: [placeOfCapture(capture)] });
        }}
      />
      <div className="packets-bar packets-look">
        <FilterBox id={FILTER_ID} value={choice.filter} onChange={(filter) => choose({ filter })} wrong={test.wrong} />
      </div>
      {kept === null ? (
        <p className="pane-empty">Looking for captures …</p>
      ) : (
        <Shown
          captures={shown}
          test={test.test}
          filter={choice.filter}
          clock={choice.clock}
          flows={flows}
          starting={control.starting}
          fetching={fetching}
        />
      )}
      {fetching.wrong && (
        <p className="packets-wrong small" role="alert">
          {fetching.wrong}
        </p>
      )}
      {there.map((capture) => {
        const list = session.packets.of(capture.id);
        return (
          <CaptureState
            key={capture.id}
            capture={capture}
            several={there.length > 1}
            href={api.captureUrl(runId, capture.id)}
            hidden={notShown(list.packets, capture.packets)}
            letGo={list.letGo}
            newest={list.packets.at(-1)?.number ?? 0}
            fetching={fetching.capture === capture.id}
            onFetch={() => fetching.fetch(capture.id)}
          />
        );
      })}
    </section>
  );
}

function useChoice(run: string, place: Place): [Choice, (change: Partial<Choice>) => void] {
  const [choice, setChoice] = useState<Choice>(() => ({
    place,
    snap: DEFAULT_SNAP,
    filter: "",
    clock: "first",
    ...keptChoice(run),
  }));
  useEffect(() => keepChoice(run, choice), [run, choice]);
  return [choice, (change) => setChoice((before) => ({ ...before, ...change }))];
}

/** While what is typed is not right, the list stays as the last right filter made it. */
function useTest(text: string) {
  const parsed = useMemo(() => parseFilter(text), [text]);
  const last = useRef<Test>(() => true);
  if (parsed.test) last.current = parsed.test;
  return { test: last.current, wrong: parsed.wrong };
}

function download(href: string): void {
  const link = document.createElement("a");
  link.href = href;
  link.download = "";
  link.click();
}
