// An icicle of added-up calls: callers above what they have called, as wide as it took. The tree below it says the same to who
// does not see it; a box that is pressed is that tree's line.

import { type Box, type CallNode, icicle } from "./call_graph";
import { duration } from "./trace_words";

const ROW_PX = 17;
/** In narrower boxes a name would be one letter. */
const NAMED_FROM = 0.03;

interface IcicleProps {
  root: CallNode;
  chosen: string | null;
  onChoose: (key: string) => void;
}

export function Icicle({ root, chosen, onChoose }: IcicleProps) {
  const boxes = icicle(root);
  const rows = boxes.reduce((most, box) => Math.max(most, box.depth + 1), 1);
  const hot = boxes.filter((box) => box.node.hot).map((box) => box.node.name);
  return (
    <div className="icicle-room">
      <div
        className="icicle mono"
        role="img"
        aria-label={`Where the time went: ${hot.join(", then ")}`}
        style={{ height: `${rows * ROW_PX}px` }}
      >
        {boxes.map((box) => (
          <IcicleBox key={box.node.key} box={box} active={box.node.key === chosen} onChoose={onChoose} />
        ))}
      </div>
    </div>
  );
}

function IcicleBox({ box, active, onChoose }: { box: Box; active: boolean; onChoose: (key: string) => void }) {
  const { node } = box;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the tree below has the same lines for keys
    // biome-ignore lint/a11y/useKeyWithClickEvents: likewise
    <span
      className={`icicle-box${node.hot ? " hot" : ""}${active ? " active" : ""}`}
      style={{ left: `${box.from * 100}%`, width: `${box.share * 100}%`, top: `${box.depth * ROW_PX}px` }}
      title={`${node.name}: ${node.count}×, ${duration(node.ns)}, ${duration(node.own)} of its own`}
      onClick={() => onChoose(node.key)}
    >
      {box.share >= NAMED_FROM && node.name}
    </span>
  );
}
