// A chart as a file: the values of its lines as CSV, or the drawing with title and legend as PNG. Nothing is sent anywhere.

import { token } from "../../ui/theme";
import { shortRate } from "../topology/layout";
import type { ChartGroup } from "./chart_groups";
import { type ChartView, type Source, valueAt } from "./chart_view";

const CSV_STEP_S = 0.1;
const LEGEND_LINE_PX = 18;
const PADDING_PX = 12;
/** Of the drawing in a picture, whatever room it has on the page. */
export const PICTURE_PX = { width: 760, height: 280 };

/** One row per tenth of a second of what is shown, oldest first: ISO time, then one column per line. */
export function csvOf(group: ChartGroup, source: Source, view: ChartView): string {
  const rows = [["time", ...group.series.map((s) => `${s.label} [${group.unit}]`)].map(quoted).join(",")];
  const now = source.now();
  const [from, to] = view.stretch;
  const count = Number.isFinite(now) ? Math.round((from - to) / CSV_STEP_S) + 1 : 0;
  for (let i = 0; i < count; i++) {
    const time = now - from + i * CSV_STEP_S;
    const values = group.series.map((s) => valueAt(source, group.measure, s.counters, time));
    if (values.every(Number.isNaN)) continue; // before the lab ran
    rows.push([new Date(time * 1000).toISOString(), ...values.map((v) => (Number.isNaN(v) ? "" : plain(v)))].join(","));
  }
  return `${rows.join("\r\n")}\r\n`; // RFC 4180
}

function plain(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The drawing on the theme's ground, its title above, its lines with their last values below. */
export function pngOf(group: ChartGroup, drawing: HTMLCanvasElement, source: Source): Promise<Blob | null> {
  const scale = window.devicePixelRatio || 1;
  const width = drawing.width / scale;
  const legend = LEGEND_LINE_PX * group.series.length + PADDING_PX;
  const head = LEGEND_LINE_PX + 2 * PADDING_PX;
  const canvas = document.createElement("canvas");
  canvas.width = drawing.width;
  canvas.height = drawing.height + (head + legend) * scale;
  const ink = canvas.getContext("2d");
  if (!ink) return Promise.resolve(null);
  ink.fillStyle = token("surface");
  ink.fillRect(0, 0, canvas.width, canvas.height);
  ink.drawImage(drawing, 0, head * scale);
  ink.scale(scale, scale);
  ink.textBaseline = "middle";
  ink.fillStyle = token("text");
  ink.font = `600 14px ${token("font")}`;
  ink.fillText(`${group.title}, ${group.unit}`, PADDING_PX, head / 2);
  ink.font = `12px ${token("font")}`;
  group.series.forEach((s, index) => {
    const y = head + drawing.height / scale + LEGEND_LINE_PX * (index + 0.5);
    ink.fillStyle = token(s.colour);
    ink.fillRect(PADDING_PX, y - 1.5, 14, 3);
    ink.fillStyle = token("text");
    ink.fillText(s.label + (s.dashed ? " (dashed)" : ""), PADDING_PX + 22, y);
    ink.textAlign = "right";
    ink.fillText(shortRate(valueAt(source, group.measure, s.counters, source.now())), width - PADDING_PX, y);
    ink.textAlign = "left";
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

export function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
}
