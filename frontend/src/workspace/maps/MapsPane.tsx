// The attendee's own BPF maps, live: a table for each, decoded by the object that was built. Told once a second while the
// page is looked at; what changed is tinted until the next reading.

import "./maps.css";
import { useEffect, useState, useSyncExternalStore } from "react";
import type { MapsReading } from "../../live/maps";
import { useCommands } from "../commands";
import { useLabSession } from "../context";
import { MapTable } from "./MapTable";
import { FIRST_ORDER, type Order } from "./map_order";
import { mapViews } from "./map_view";

const STALE_MS = 6_000;
/** That there are none is told once, perhaps before this page came: so long, then it is believed. */
const NONE_AFTER_MS = 2_500;

export default function MapsPane() {
  const { maps: store } = useLabSession();
  const newest = useSyncExternalStore(store.subscribe, store.get);
  const [kept, setKept] = useState<MapsReading | null>(null);
  const reading = kept ?? newest;
  const pause = () => setKept(kept ? null : newest);
  useCommands("maps", [
    { id: "maps.pause", title: kept ? "Let the maps go on" : "Pause the maps", group: "Counters", run: pause },
  ]);
  /** By node and name: a program that is loaded again brings its maps under new ids. */
  const [orders, setOrders] = useState<Readonly<Record<string, Order>>>({});
  const stale = useStale(kept ? null : newest);

  const waited = useWaited(NONE_AFTER_MS);

  if (!reading && !waited) return <p className="pane-empty">Looking for maps …</p>;
  const views = reading ? mapViews(reading) : [];
  if (!reading || views.length === 0) {
    return (
      <p className="pane-empty">
        No maps yet. Load a program that has one: what is in it appears here by itself, under the names that the program
        gives.
      </p>
    );
  }
  const several = new Set(views.map((view) => view.map.node)).size > 1;
  return (
    <section className="maps-pane" aria-label="BPF maps">
      <div className="maps-bar">
        <span className="muted small">
          {kept ? `As of ${clock(reading.at)}` : stale ? `Not told since ${clock(reading.at)}` : "Read once a second"}
        </span>
        <button type="button" aria-pressed={kept !== null} onClick={pause}>
          {kept ? "Go on" : "Pause"}
        </button>
      </div>
      <div className={stale ? "map-list stale" : "map-list"}>
        {views.map((view) => {
          const called = `${view.map.node} ${view.map.name || view.map.id}`;
          return (
            <MapTable
              key={view.map.id}
              view={view}
              node={several ? view.map.node : ""}
              order={orders[called] ?? FIRST_ORDER}
              onOrder={(order) => setOrders((before) => ({ ...before, [called]: order }))}
            />
          );
        })}
        {reading.more > 0 && <p className="map-note">{reading.more} more maps are not shown.</p>}
      </div>
    </section>
  );
}

function clock(at: number): string {
  return new Date(at * 1000).toLocaleTimeString("en-GB");
}

function useWaited(ms: number): boolean {
  const [waited, setWaited] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setWaited(true), ms);
    return () => window.clearTimeout(timer);
  }, [ms]);
  return waited;
}

/** Nothing has come for a while: the connection is away, or the host is busy. */
function useStale(newest: MapsReading | null): boolean {
  const [stale, setStale] = useState(false);
  useEffect(() => {
    setStale(false);
    if (!newest || newest.maps.length === 0) return;
    const timer = window.setTimeout(() => setStale(true), STALE_MS);
    return () => window.clearTimeout(timer);
  }, [newest]);
  return stale;
}
