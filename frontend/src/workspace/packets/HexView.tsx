// A packet's bytes in hex and as text. The marked ones are those of the field that somebody points at, in the tree or here.

import { useState } from "react";
import { hexText, readable } from "../../live/decode/dissection";

/** First byte, and one behind the last. */
export type Mark = readonly [from: number, to: number];

const ROW_BYTES = 16;
const SHOWN_BYTES = 512;

interface HexViewProps {
  data: Uint8Array;
  mark: Mark | null;
  onByte: (byte: number | null) => void;
  onChoose: (byte: number) => void;
}

export function HexView({ data, mark, onByte, onChoose }: HexViewProps) {
  const [all, setAll] = useState(false);
  const shown = all ? data : data.subarray(0, SHOWN_BYTES);
  const rows = Array.from({ length: Math.ceil(shown.length / ROW_BYTES) }, (_, row) => row * ROW_BYTES);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must get there
    <section className="packet-hex mono" aria-label="Bytes of the packet" tabIndex={0}>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the tree beside it has the keys for the same */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the tree beside it has the keys for the same */}
      <div
        onPointerLeave={() => onByte(null)}
        onPointerOver={(event) => onByte(byteOf(event.target))}
        onClick={(event) => {
          const byte = byteOf(event.target);
          if (byte !== null) onChoose(byte);
        }}
      >
        {rows.map((from) => (
          <HexRow key={from} from={from} bytes={shown.subarray(from, from + ROW_BYTES)} mark={mark} />
        ))}
      </div>
      {shown.length < data.length && (
        <button type="button" onClick={() => setAll(true)}>
          Show all {data.length.toLocaleString("en")} bytes
        </button>
      )}
    </section>
  );
}

function byteOf(target: EventTarget): number | null {
  const told = (target as HTMLElement).dataset?.byte;
  return told === undefined ? null : Number(told);
}

function HexRow({ from, bytes, mark }: { from: number; bytes: Uint8Array; mark: Mark | null }) {
  const cells = Array.from(bytes, (_, at) => {
    const byte = from + at;
    const classes = [mark && byte >= mark[0] && byte < mark[1] && "marked", at === ROW_BYTES / 2 && "half"];
    return { byte, one: bytes.subarray(at, at + 1), className: classes.filter(Boolean).join(" ") };
  });
  return (
    <div className="hex-row">
      <span className="muted hex-at">{from.toString(16).padStart(4, "0")}</span>
      <span className="hex-bytes">
        {cells.map(({ byte, one, className }) => (
          <i key={byte} data-byte={byte} className={className}>
            {hexText(one)}
          </i>
        ))}
      </span>
      <span className="hex-text">
        {cells.map(({ byte, one, className }) => (
          <i key={byte} data-byte={byte} className={className}>
            {readable(one)}
          </i>
        ))}
      </span>
    </div>
  );
}
