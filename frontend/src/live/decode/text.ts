// Protocols whose first line can be read: HTTP and its like. Shown as that line, no further.

import { type Dissection, type Reader, readable } from "./dissection";

const FIRST_LINE = /^(?:(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT) \S+ HTTP\/|HTTP\/1\.[01] \d{3}|SSH-2\.0-)/;
const LOOKED_AT_BYTES = 160;

/** False: it is something else. */
export function plainText(d: Dissection, r: Reader): boolean {
  const start = r.bytes.subarray(r.at, r.at + Math.min(LOOKED_AT_BYTES, Math.max(0, r.left)));
  const ends = start.indexOf(13);
  const line = readable(ends < 0 ? start : start.subarray(0, ends));
  if (!FIRST_LINE.test(line)) return false;
  const [id, name] = line.startsWith("SSH") ? ["ssh", "SSH"] : ["http", "HTTP"];
  const layer = d.layer(id, name, r.at, line);
  layer.to = Math.min(r.end, r.bytes.length);
  d.value(`${id}.line`, "First line", line, r.at, r.at + line.length);
  d.say(name, line);
  return true;
}
