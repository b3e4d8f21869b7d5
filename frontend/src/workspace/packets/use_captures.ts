// What the pane does about captures: start, stop, and fetch a capture's file when the list has less than that. Requests go
// through the session; their outcome comes as events.

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { ApiError, api } from "../../api/client";
import type { CaptureSeen } from "../../api/types";
import { readPcapng } from "../../live/decode/pcapng";
import { useLabSession, useSession } from "../context";
import { interfaceOf, nodeOf } from "../topology/cables";
import { placeOfCapture } from "./lines";
import type { Place } from "./places";

const TRIES = 4;
const TRY_AGAIN_MS = 1_500;
/** A command that is answered has its capture told at once; so long, then something is wrong. */
const STARTS_WITHIN_MS = 15_000;

export function usePacketStore(): number {
  const { packets } = useLabSession();
  return useSyncExternalStore(packets.subscribe, packets.get);
}

/** The newest capture of each end that has one. */
export function capturesAt(captures: readonly CaptureSeen[] | null, place: Place): (CaptureSeen | null)[] {
  return place.map((end) => captures?.findLast((capture) => placeOfCapture(capture) === end) ?? null);
}

export function useCaptureControl() {
  const session = useLabSession();
  const { packets } = session;
  const failures = useSession((s) => s.view?.failures);
  const [asked, setAsked] = useState<readonly string[]>([]);
  usePacketStore();
  const told = new Set(packets.captures?.map((capture) => capture.id));
  const failed = asked.some((id) => failures?.[id] !== undefined);
  const starting = !failed && asked.some((id) => !told.has(id));

  useEffect(() => {
    if (!starting) return;
    const timer = window.setTimeout(() => setAsked([]), STARTS_WITHIN_MS);
    return () => window.clearTimeout(timer);
  }, [starting]);

  const start = useCallback(
    async (place: Place, snap: number) => {
      const running = (end: string) => session.packets.captures?.some((c) => c.running && placeOfCapture(c) === end);
      setAsked([]);
      const begin = async (end: string) => {
        const command = await session.startCapture(nodeOf(end), interfaceOf(end), snap);
        if (command) setAsked((before) => [...before, command]);
      };
      await Promise.all(place.filter((end) => !running(end)).map(begin)); // both ends at the same time
    },
    [session],
  );
  const stop = useCallback(
    async (captures: readonly CaptureSeen[]) => {
      for (const capture of captures) if (capture.running) await session.stopCapture(capture.id);
    },
    [session],
  );
  return { start, stop, starting };
}

export interface Fetching {
  /** Capture that is being fetched; "" for none. */
  capture: string;
  wrong: string;
  fetch: (capture: string) => void;
}

/** Fetches files one after the other: the server hands up one of a run at a time. */
export function useFetching(): Fetching {
  const session = useLabSession();
  const [capture, setCapture] = useState("");
  const [wrong, setWrong] = useState("");
  const waiting = useRef<string[]>([]);
  const busy = useRef(false);

  const work = useCallback(async () => {
    if (busy.current) return;
    busy.current = true;
    for (let next = waiting.current.shift(); next; next = waiting.current.shift()) {
      setCapture(next);
      setWrong(await fetchInto(session, next));
    }
    setCapture("");
    busy.current = false;
  }, [session]);

  const fetch = useCallback(
    (id: string) => {
      if (!waiting.current.includes(id)) waiting.current.push(id);
      void work();
    },
    [work],
  );
  return { capture, wrong, fetch };
}

/** What went wrong, as a sentence; "" when the packets are in the store. */
async function fetchInto(session: ReturnType<typeof useLabSession>, capture: string): Promise<string> {
  const { run } = session;
  if (!run) return "";
  for (let tries = 1; ; tries++) {
    try {
      const file = readPcapng(new Uint8Array(await api.readCapture(run.id, capture)));
      if (!file) return "The capture's file cannot be read.";
      session.packets.takeFile(capture, file.packets);
      return "";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (tries >= TRIES || error.status === 404) return error.body.message;
      await new Promise((resolve) => window.setTimeout(resolve, TRY_AGAIN_MS));
    }
  }
}

/** After a reload the list begins with what the file has. */
export function useRefill(captures: readonly (CaptureSeen | null)[], fetching: Fetching): void {
  const { packets } = useLabSession();
  const done = useRef(new Set<string>());
  const { fetch } = fetching;
  useEffect(() => {
    for (const capture of captures) {
      if (!capture || capture.packets === 0 || done.current.has(capture.id)) continue;
      const list = packets.of(capture.id);
      const first = list.packets[0];
      const misses = first ? first.number > 1 && !list.letGo : true;
      if (!misses) continue;
      done.current.add(capture.id);
      fetch(capture.id);
    }
  }, [captures, packets, fetch]);
}
