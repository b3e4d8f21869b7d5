// The tagged frames on the wire, newest first: a list box that arrow keys walk through, with filters above it.

import { type KeyboardEvent, useEffect, useRef } from "react";
import type { LabSwitch, TaggedFrame } from "../../api/types";
import type { SeenFrame } from "../../live/tagged_frames";
import { clockOf, DIRECTION_SIGNS, DIRECTION_WORDS, type Filter, portWords } from "./frame_list";
import { colourOf } from "./SwitchDrawing";

interface FrameTableProps {
  sw: LabSwitch;
  frames: readonly SeenFrame[];
  /** Frames that were on the wire and are not in the list. */
  skipped: number;
  filter: Filter;
  onFilter: (filter: Filter) => void;
  paused: boolean;
  onPause: (paused: boolean) => void;
  onClear: () => void;
  selected: number | null;
  onSelect: (frame: number | null) => void;
}

export function FrameTable(props: FrameTableProps) {
  const { sw, frames, filter, paused, selected, onSelect } = props;
  const list = useRef<HTMLDivElement>(null);
  const at = frames.findIndex((f) => f.number === selected);

  useEffect(() => {
    if (selected !== null) document.getElementById(`frame-${selected}`)?.scrollIntoView({ block: "nearest" });
  }, [selected]);

  const onKey = (event: KeyboardEvent) => {
    const to = { ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: frames.length - 1 }[event.key];
    if (event.key === "Escape") onSelect(null);
    else if (to !== undefined) onSelect(frames[Math.min(to, frames.length - 1)]?.number ?? null);
    else return;
    event.preventDefault();
  };
  return (
    <section className="frames" aria-label="Tagged frames on the wire">
      <div className="frames-bar">
        <select
          aria-label="Port"
          value={filter.port ?? ""}
          onChange={(event) =>
            props.onFilter({ ...filter, port: event.target.value === "" ? null : Number(event.target.value) })
          }
        >
          <option value="">all ports</option>
          {sw.ports.map((port, index) => (
            <option key={port.name} value={index + 1}>
              {port.name}
            </option>
          ))}
        </select>
        <select
          aria-label="Direction"
          value={filter.direction}
          onChange={(event) =>
            props.onFilter({ ...filter, direction: event.target.value as TaggedFrame["direction"] | "" })
          }
        >
          <option value="">both ways</option>
          <option value="to_cpu">to CPU</option>
          <option value="from_cpu">from CPU</option>
        </select>
        <span className="spacer" />
        {props.skipped > 0 && (
          <span className="muted small frames-skipped" title="Too many at once to be shown one by one">
            +{props.skipped.toLocaleString("en")} more
          </span>
        )}
        <button type="button" aria-pressed={paused} onClick={() => props.onPause(!paused)}>
          {paused ? "Go on" : "Pause"}
        </button>
        <button type="button" onClick={props.onClear}>
          Clear
        </button>
      </div>
      {frames.length === 0 ? (
        <p className="pane-empty">{nothingWords(filter)}</p>
      ) : (
        <div
          className="frame-list"
          role="listbox"
          tabIndex={0}
          ref={list}
          aria-label="Frames, newest first"
          aria-activedescendant={selected === null ? undefined : `frame-${selected}`}
          onKeyDown={onKey}
        >
          {frames.map((frame) => (
            <FrameRow
              key={frame.number}
              frame={frame}
              colour={colourOf(frame, sw)}
              tagger={frame.tagger === frames[0]?.tagger ? "" : frame.tagger}
              selected={frame.number === selected}
              onSelect={() => {
                onSelect(frame.number === selected ? null : frame.number);
                list.current?.focus(); // the keys go on from here
              }}
            />
          ))}
        </div>
      )}
    </section>
  );
}

function nothingWords(filter: Filter): string {
  return filter.port === null && !filter.direction
    ? "Nothing on the wire yet: ping from one node to another, and see which frames come this way."
    : "No such frame yet.";
}

interface FrameRowProps {
  frame: SeenFrame;
  colour: string;
  /** Where it is not the newest frame's. */
  tagger: string;
  selected: boolean;
  onSelect: () => void;
}

function FrameRow(props: FrameRowProps) {
  const { frame, colour } = props;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list box has the keys
    <div
      role="option"
      tabIndex={-1}
      id={`frame-${frame.number}`}
      className="frame-row"
      aria-selected={props.selected}
      onClick={props.onSelect}
    >
      <span className="mono muted frame-clock">{clockOf(frame.at)}</span>
      <span className={`frame-way ${frame.direction}`} title={DIRECTION_WORDS[frame.direction]}>
        <span aria-hidden="true">{DIRECTION_SIGNS[frame.direction]}</span>
        <span className="visually-hidden">{DIRECTION_WORDS[frame.direction]}</span>
      </span>
      <span className={`port-chip ${colour}`}>{portWords(frame)}</span>
      <span className="frame-words" title={`${frame.protocol}, ${frame.source} to ${frame.destination}`}>
        {frame.protocol}
      </span>
      {props.tagger && <span className="mono muted frame-tagger">{props.tagger}</span>}
    </div>
  );
}
