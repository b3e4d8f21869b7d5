// One frame taken apart: where the tag sits in it, the tag's bytes and bits, and what each field says.

import { useState } from "react";
import type { SeenFrame } from "../../live/tagged_frames";
import { DIRECTION_WORDS } from "./frame_list";
import { bitRows, frameSegments, placeOfTag, type Segment, tagFields } from "./tag_layout";

export function FrameDetail({ frame, onClose }: { frame: SeenFrame; onClose: () => void }) {
  const [shown, setShown] = useState("");
  const rows = bitRows(frame.tag, tagFields(frame));
  const show = (name: string) => ({
    onPointerEnter: () => setShown(name),
    onPointerLeave: () => setShown(""),
  });
  return (
    <section className="frame-detail" aria-label="The chosen frame">
      <div className="frame-detail-bar">
        <strong>{frame.protocol}</strong>
        <button type="button" className="quiet icon" aria-label="Close the frame" onClick={onClose}>
          ✕
        </button>
      </div>
      <p className="muted small frame-ends">
        <span className="mono">
          {frame.source} → {frame.destination}
        </span>
        <span>
          {frame.bytes} bytes, {DIRECTION_WORDS[frame.direction]}
        </span>
      </p>
      <ol className="segments" aria-label="The frame from its first byte to its last">
        {frameSegments(frame).map((segment) => (
          <li key={segment.label} className={segment.isTag ? "tag" : ""} style={{ flexGrow: widthOf(segment) }}>
            <span>{segment.label}</span>
            <span className="muted">{segment.bytes}</span>
          </li>
        ))}
      </ol>
      <p className="small">{placeOfTag(frame.tagger)}</p>
      {rows.map((row, index) => (
        <div className="tag-bits" key={row[0]?.first} aria-hidden="true">
          {bytesOf(frame.tag, index).map((byte, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a byte is its place
            <span className="tag-byte mono" key={at}>
              {byte}
            </span>
          ))}
          {row.map((stretch) => (
            <span
              key={stretch.first}
              className={`stretch ${stretch.name ? "" : "unused"} ${stretch.name && stretch.name === shown ? "shown" : ""}`}
              style={{ gridColumn: `span ${stretch.count}` }}
              title={stretch.name || "not used"}
              {...show(stretch.name)}
            >
              {[...stretch.bits].map((bit, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: a bit is its place
                <i key={at}>{bit}</i>
              ))}
            </span>
          ))}
        </div>
      ))}
      {frame.fields.length > 0 && (
        <dl className="tag-fields">
          {frame.fields.map(([name, value]) => (
            <div key={name} className={name === shown ? "shown" : ""} {...show(name)}>
              <dt>{name}</dt>
              <dd className="mono">
                {value}
                {name === "port" && frame.port_name && <span className="muted"> {frame.port_name}</span>}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

/** The four bytes of a word, in hex. */
function bytesOf(tag: string, word: number): string[] {
  return tag.slice(word * 8, word * 8 + 8).match(/../g) ?? [];
}

/** Bytes would make the payload all of it: the square root keeps the small ones readable. */
function widthOf(segment: Segment): number {
  return Math.sqrt(Math.max(1, segment.bytes));
}
