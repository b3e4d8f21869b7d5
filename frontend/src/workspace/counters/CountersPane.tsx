// The charts of a lab: those that its counters are about, one above the other on one stretch of time. One bar for all of
// them: live or held still, how long back, linear or logarithmic; a chart's own menu saves it as a file.

import "./counters.css";
import { useMemo, useRef, useState } from "react";
import type { Lab } from "../../api/types";
import { Menu } from "../../ui/Menu";
import { useCommands } from "../commands";
import { useLabSession, useSession } from "../context";
import { portPlaces } from "../topology/cables";
import { ChartWithTable } from "./ChartWithTable";
import { type ChartGroup, type ChartId, chartGroups, inOrderOf } from "./chart_groups";
import { type ChartView, Held, LIVE, type Stretch, WHOLE } from "./chart_view";
import { csvOf, PICTURE_PX, pngOf, save } from "./export";
import type { RateChart } from "./rate_chart";
import { xdpPlaces } from "./series";
import { useCounterSchema } from "./use_schema";

const STRETCHES_S = [60, 30, 10];
const SHOWN_KEY = "netlab.charts";
const SHOWN_AT_FIRST: readonly ChartId[] = ["xdp", "packets", "losses", "tunnels"];

export default function CountersPane() {
  const { counters } = useLabSession();
  const newest = useCounterSchema(counters);
  const switches = useSession((s) => s.page.lab.switches);
  const lab = useSession((s) => s.page.lab);
  const hasPrograms = useSession((s) => s.page.lab.programs.length > 0 || (s.view?.run.attachments.length ?? 0) > 0);
  const [where, setWhere] = useState("");
  const [view, setView] = useState<ChartView>(LIVE);
  const [shown, setShown] = useShown(lab);
  const schema = view.held?.schema ?? newest;

  const places = useMemo(() => (schema ? xdpPlaces(schema) : []), [schema]);
  const place = places.includes(where) ? where : "";
  const groups = useMemo(() => {
    const all = schema ? chartGroups(schema, portPlaces(switches), place) : [];
    return inOrderOf(lab.charts, hasPrograms ? all : all.filter((group) => group.id !== "xdp"));
  }, [schema, switches, place, hasPrograms, lab]);

  const hold = () => setView((v) => ({ ...v, held: v.held ? null : new Held(counters) }));
  const look = (stretch: Stretch) => setView((v) => ({ ...v, stretch, held: v.held ?? new Held(counters) }));
  const toggleLog = () => setView((v) => ({ ...v, log: !v.log }));
  useCommands("counters", [
    { id: "counters.pause", title: view.held ? "Charts: go on" : "Charts: pause", group: "Counters", run: hold },
    {
      id: "counters.log",
      title: view.log ? "Charts: linear scale" : "Charts: logarithmic scale",
      group: "Counters",
      run: toggleLog,
    },
    ...groups.map((group) => ({
      id: `counters.show.${group.id}`,
      title: `${shown.includes(group.id) ? "Hide" : "Show"} the chart "${group.title}"`,
      group: "Counters" as const,
      run: () => setShown(group.id),
    })),
  ]);

  if (!schema) return <p className="pane-empty">Waiting for the first counters …</p>;
  return (
    <div className="pane counters">
      <div className="pane-bar chart-bar">
        <button
          type="button"
          aria-pressed={view.held !== null}
          aria-label="Pause"
          title={view.held ? "Go on" : "Hold all charts still"}
          onClick={hold}
        >
          {view.held ? "▶" : "❚❚"}
        </button>
        <StretchButtons view={view} onChoose={(stretch) => setView((v) => ({ ...v, stretch }))} />
        <button type="button" aria-pressed={view.log} title="Logarithmic scale" onClick={toggleLog}>
          log
        </button>
        <span className="spacer" />
        <Menu
          label="Charts ▾"
          title="Which charts are shown"
          alignEnd
          items={groups.map((group) => ({
            label: `${shown.includes(group.id) ? "✓" : "  "} ${group.title}`,
            detail: group.unit,
            onSelect: () => setShown(group.id),
          }))}
        />
      </div>
      <div className="charts">
        {groups
          .filter((group) => shown.includes(group.id))
          .map((group) => (
            <Chart key={group.id} group={group} view={view} onStretch={look}>
              {group.id === "xdp" && places.length > 1 && (
                <select
                  aria-label="Interface of the XDP counters"
                  title="In native mode the driver counts; in generic mode netlab counts drops, and derives what passed"
                  value={place}
                  onChange={(event) => setWhere(event.target.value)}
                >
                  <option value="">all interfaces</option>
                  {places.map((p) => (
                    <option key={p}>{p}</option>
                  ))}
                </select>
              )}
            </Chart>
          ))}
      </div>
    </div>
  );
}

/** Which charts are shown, remembered for each lab. */
function useShown(lab: Lab): [readonly ChartId[], (toggled: ChartId) => void] {
  const key = `${SHOWN_KEY}.${lab.id}`;
  const [shown, setShown] = useState<readonly ChartId[]>(() => {
    const kept = localStorage.getItem(key);
    const atFirst = lab.charts.length > 0 ? (lab.charts as ChartId[]) : SHOWN_AT_FIRST;
    return kept === null ? atFirst : (kept.split(",") as ChartId[]);
  });
  const toggle = (id: ChartId) => {
    const now = shown.includes(id) ? shown.filter((one) => one !== id) : [...shown, id];
    localStorage.setItem(key, now.join(","));
    setShown(now);
  };
  return [shown, toggle];
}

function StretchButtons({ view, onChoose }: { view: ChartView; onChoose: (stretch: Stretch) => void }) {
  const [from, to] = view.stretch;
  const dragged = to !== 0 || !STRETCHES_S.includes(from);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would need a legend in the bar
    <span className="button-row" role="group" aria-label="How long back">
      {STRETCHES_S.map((seconds) => (
        <button
          type="button"
          key={seconds}
          aria-pressed={!dragged && from === seconds}
          title={`The last ${seconds} seconds. Drag over a chart to look closer`}
          onClick={() => onChoose([seconds, 0])}
        >
          {seconds} s
        </button>
      ))}
      {dragged && (
        <button type="button" title="Show the whole minute again" onClick={() => onChoose(WHOLE)}>
          {(from - to).toFixed(1)} s ✕
        </button>
      )}
    </span>
  );
}

interface ChartBoxProps {
  group: ChartGroup;
  view: ChartView;
  onStretch: (stretch: Stretch) => void;
  children: React.ReactNode;
}

function Chart({ group, view, onStretch, children }: ChartBoxProps) {
  const { counters } = useLabSession();
  const lab = useSession((s) => s.page.lab.id);
  const drawing = useRef<RateChart | null>(null);
  const source = () => view.held ?? counters;
  const name = `${lab}-${group.id}`;
  const png = async () => {
    const picture = await drawing.current?.picture(PICTURE_PX.width, PICTURE_PX.height);
    const image = picture && (await pngOf(group, picture, source()));
    if (image) save(`${name}.png`, image);
  };
  return (
    <section className="chart-box" aria-label={group.title}>
      <div className="chart-head">
        <h2>{group.title}</h2>
        <span className="muted small">{group.unit}</span>
        <span className="spacer" />
        {children}
        <Menu
          label="⤓"
          title={`Save the chart "${group.title}"`}
          className="icon quiet"
          alignEnd
          items={[
            {
              label: "Values",
              detail: "CSV",
              onSelect: () => save(`${name}.csv`, csvBlob(csvOf(group, source(), view))),
            },
            { label: "Picture", detail: "PNG", onSelect: () => void png() },
          ]}
        />
      </div>
      <ChartWithTable
        series={group.series}
        caption={`${group.title}, ${group.unit}`}
        measure={group.measure}
        unit={group.unit}
        view={view}
        onStretch={onStretch}
        drawing={drawing}
      />
    </section>
  );
}

function csvBlob(text: string): Blob {
  return new Blob([text], { type: "text/csv" });
}
