// One DSA switch: its drawing, what it does by itself beside what the CPU sees, and the tagged frames on the wire.
// Frames are read from the FrameStore four times a second; a paused list stays as it is while the store goes on.

import "./switches.css";
import { useEffect, useMemo, useState } from "react";
import type { LabSwitch } from "../../api/types";
import type { SeenFrame } from "../../live/tagged_frames";
import { useLabSession } from "../context";
import { ChartWithTable } from "../counters/ChartWithTable";
import { useCounterSchema } from "../counters/use_schema";
import { FrameDetail } from "./FrameDetail";
import { FrameTable } from "./FrameTable";
import { ALL, type Filter, shownFrames } from "./frame_list";
import { offloadCounters, offloadSeries } from "./offload";
import { Share } from "./Share";
import { SwitchDrawing } from "./SwitchDrawing";

const REDRAW_MS = 250;
const NO_FRAMES: readonly SeenFrame[] = [];

export default function SwitchPane({ sw }: { sw: LabSwitch }) {
  const session = useLabSession();
  const schema = useCounterSchema(session.counters);
  const [filter, setFilter] = useState<Filter>(ALL);
  const [paused, setPaused] = useState(false);
  const [selected, setSelected] = useState<number | null>(null);
  const wire = useWire(sw.name, paused);

  const portName = filter.port === null ? "" : (sw.ports[filter.port - 1]?.name ?? "");
  const shown = useMemo(() => shownFrames(wire.frames, filter, portName), [wire.frames, filter, portName]);
  const frame = shown.find((f) => f.number === selected) ?? null;
  const offload = useMemo(() => (schema ? offloadCounters(schema, sw) : null), [schema, sw]);
  const series = useMemo(() => (offload ? offloadSeries(offload) : []), [offload]);
  const tagger = wire.frames.at(-1)?.tagger ?? sw.tagger;

  const select = (number: number | null) => {
    if (number !== null) setPaused(true); // what one looks at must not move away
    setSelected(number);
  };
  const clear = () => {
    session.frames.clear(sw.name);
    setSelected(null);
    setPaused(false);
  };
  return (
    <div className="switch-pane">
      <SwitchDrawing
        sw={sw}
        tagger={tagger}
        newest={wire.frames.at(-1) ?? null}
        chosen={filter.port}
        onChoose={(port) => setFilter({ ...filter, port: filter.port === port ? null : port })}
      />
      {offload && series.length > 0 && (
        <section className="offload" aria-label="Hardware and CPU">
          <Share offload={offload} />
          <ChartWithTable series={series} caption="Frames per second: switched in hardware, and seen by the CPU" />
        </section>
      )}
      <FrameTable
        sw={sw}
        frames={shown}
        skipped={wire.skipped}
        filter={filter}
        onFilter={setFilter}
        paused={paused}
        onPause={(on) => {
          setPaused(on);
          if (!on) setSelected(null);
        }}
        onClear={clear}
        selected={selected}
        onSelect={select}
      />
      {frame && <FrameDetail frame={frame} onClose={() => setSelected(null)} />}
    </div>
  );
}

/** The wire's frames, looked at now and then; as they were when it was paused. */
function useWire(name: string, paused: boolean): { frames: readonly SeenFrame[]; skipped: number } {
  const { frames: store } = useLabSession();
  const [wire, setWire] = useState<{ frames: readonly SeenFrame[]; skipped: number }>({
    frames: NO_FRAMES,
    skipped: 0,
  });
  useEffect(() => {
    if (paused) return;
    let version = -1;
    const look = () => {
      if (document.hidden || store.version === version) return;
      version = store.version;
      setWire(store.of(name));
    };
    look();
    const timer = window.setInterval(look, REDRAW_MS);
    return () => window.clearInterval(timer);
  }, [store, name, paused]);
  return wire;
}
