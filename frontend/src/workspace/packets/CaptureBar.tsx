// What is captured: where, how much of each packet, start and stop; and the captures that are kept.

import type { CaptureSeen } from "../../api/types";
import { PACKETS_KEPT } from "../../live/packets";
import { Menu, type MenuItem } from "../../ui/Menu";
import { HELP } from "./help";
import { placeOfCapture } from "./lines";
import { type Place, type Places, placeKey } from "./places";
import { CLOCK_WORDS, type Clock, minutesWords, sizeWords } from "./times";

export const SNAPS: readonly (readonly [bytes: number, words: string])[] = [
  [64, "Keep 64 bytes of each"],
  [256, "Keep 256 bytes of each"],
  [1518, "Keep 1,518 bytes of each"],
  [9000, "Keep 9,000 bytes of each"],
];

interface CaptureBarProps {
  places: Places;
  place: Place;
  onPlace: (place: Place) => void;
  snap: number;
  onSnap: (snap: number) => void;
  clock: Clock;
  onClock: (clock: Clock) => void;
  running: boolean;
  starting: boolean;
  /** Why none can be started now; "" when one can. */
  off: string;
  onStart: () => void;
  onStop: () => void;
  kept: readonly CaptureSeen[];
  shown: readonly string[];
  onShow: (capture: CaptureSeen) => void;
}

export function CaptureBar(props: CaptureBarProps) {
  return (
    <div className="packets-bar">
      <PlaceSelect {...props} />
      {props.running ? (
        <button type="button" className="packets-stop" onClick={props.onStop}>
          ■ Stop
        </button>
      ) : (
        <button
          type="button"
          className="primary"
          disabled={props.starting || props.off !== ""}
          title={props.off || "Ends by itself after 10 minutes or 4 MiB"}
          onClick={props.onStart}
        >
          {props.starting ? "Starting …" : "Start"}
        </button>
      )}
      <Menu label="⋯" title="Size, time, kept captures" className="icon" alignEnd items={menuItems(props)} />
    </div>
  );
}

function menuItems({ snap, onSnap, clock, onClock, running, kept, shown, onShow }: CaptureBarProps): MenuItem[] {
  return [
    {
      label: "Help: filter and read packets",
      onSelect: () => void window.open(HELP, "_blank", "noreferrer"),
    },
    ...SNAPS.map(([bytes, words]) => ({
      label: words,
      detail: running ? "for the next capture" : "",
      checked: bytes === snap,
      onSelect: () => onSnap(bytes),
    })),
    ...(Object.keys(CLOCK_WORDS) as Clock[]).map((one) => ({
      label: `Time: ${CLOCK_WORDS[one].toLowerCase()}`,
      checked: one === clock,
      onSelect: () => onClock(one),
    })),
    ...[...kept].reverse().map((capture) => ({
      label: `Show ${placeOfCapture(capture)} of ${new Date(capture.started_at * 1000).toLocaleTimeString("en-GB")}`,
      detail: `${capture.packets.toLocaleString("en")} packets${capture.running ? ", running" : ""}`,
      checked: shown.includes(capture.id),
      onSelect: () => onShow(capture),
    })),
  ];
}

function PlaceSelect({ places, place, onPlace }: Pick<CaptureBarProps, "places" | "place" | "onPlace">) {
  const all = [...places.links, ...places.interfaces];
  const known = all.some((one) => placeKey(one) === placeKey(place));
  return (
    <select
      aria-label="Where to capture"
      value={placeKey(place)}
      onChange={(event) => onPlace(all.find((one) => placeKey(one) === event.target.value) ?? place)}
    >
      {places.links.length > 0 && (
        <optgroup label="Both ends of a link">
          {places.links.map((one) => (
            <option key={placeKey(one)} value={placeKey(one)}>
              {one.join(" – ")}
            </option>
          ))}
        </optgroup>
      )}
      <optgroup label="One interface">
        {places.interfaces.map((one) => (
          <option key={placeKey(one)} value={placeKey(one)}>
            {one[0]}
          </option>
        ))}
        {!known && <option value={placeKey(place)}>{place.join(" – ")}</option>}
      </optgroup>
    </select>
  );
}

const FULL_BYTES = 4 << 20;
const LONGEST_S = 600;

interface CaptureStateProps {
  capture: CaptureSeen;
  several: boolean;
  href: string;
  /** Packets that were kept and are not in the list. */
  hidden: number;
  letGo: boolean;
  /** Number of its newest packet in the list. */
  newest: number;
  fetching: boolean;
  onFetch: () => void;
}

/** One line about a capture: how far it is from its limits, why it ended, what is missing, its file. */
export function CaptureState({ capture, several, href, hidden, letGo, newest, fetching, onFetch }: CaptureStateProps) {
  const age = Date.now() / 1000 - capture.started_at;
  return (
    <div className="capture-state small">
      {several && <strong className="mono">{placeOfCapture(capture)}</strong>}
      <span>{Math.max(capture.packets, newest).toLocaleString("en")} packets</span>
      <span title={`A capture ends when it has ${sizeWords(FULL_BYTES)}`}>
        {sizeWords(capture.kept_bytes)}
        <span className="wide-only"> of {sizeWords(FULL_BYTES)}</span>
      </span>
      {capture.running && (
        <span title={`A capture ends after ${minutesWords(LONGEST_S)}`}>
          {minutesWords(age)}
          <span className="wide-only"> of {minutesWords(LONGEST_S)}</span>
        </span>
      )}
      {!capture.running && <span className="capture-ended">Ended: {capture.ended}</span>}
      {capture.missed > 0 && (
        <span className="capture-missed" title="They came faster than they were taken, and are in no file">
          {capture.missed.toLocaleString("en")} missed
        </span>
      )}
      {hidden > 0 && !fetching && (
        <button type="button" className="quiet" onClick={onFetch} title="They came too fast to be shown one by one">
          Load {hidden.toLocaleString("en")} not shown
        </button>
      )}
      {fetching && <span className="muted">Loading the file …</span>}
      {letGo && <span className="muted">the newest {PACKETS_KEPT.toLocaleString("en")} are listed</span>}
      <span className="spacer" />
      <a href={href} download aria-label={`Download ${placeOfCapture(capture)} as pcapng`}>
        pcapng
      </a>
    </div>
  );
}
