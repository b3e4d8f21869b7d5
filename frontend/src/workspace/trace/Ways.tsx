// The ways of single packets through the kernel, one below the other: when, at which node and device, what happened.

import type { TracedPacket, TraceStep } from "../../api/types";
import { seriesToken } from "../../ui/theme";
import { duration, endWords, POINTS } from "./trace_words";

interface WaysProps {
  packets: readonly TracedPacket[];
  nodes: readonly string[];
}

export function Ways({ packets, nodes }: WaysProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section className="trace-scroll" tabIndex={0} aria-label="Packets' ways">
      {packets.map((packet) => (
        <section key={packet.number} className="trace-way" aria-label={`Packet ${packet.number}`}>
          <h3>
            <strong>
              {packet.number}. {packet.what}
            </strong>{" "}
            <span className="muted">{packet.bytes.toLocaleString("en")} bytes</span>{" "}
            <span className={packet.end === "dropped" ? "trace-lost" : ""}>{endWords(packet)}</span>
          </h3>
          <ol>
            {packet.steps.map((step, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: steps only come behind others
              <Step key={i} step={step} before={packet.steps[i - 1]} colour={seriesToken(nodes.indexOf(step.node))} />
            ))}
          </ol>
        </section>
      ))}
    </section>
  );
}

function Step({ step, before, colour }: { step: TraceStep; before: TraceStep | undefined; colour: string }) {
  const { words, kernel } = POINTS[step.point];
  const isNewNode = before?.node !== step.node;
  return (
    <li className={`${colour}${isNewNode ? " trace-node-begins" : ""}${step.point === "dropped" ? " trace-drop" : ""}`}>
      <span className="trace-at mono">{duration(step.after_ns)}</span>
      <span className="trace-took mono muted" title="Since the step before">
        {before ? `+${duration(step.after_ns - before.after_ns)}` : ""}
      </span>
      <span className="trace-dot" aria-hidden="true" />
      <span className="trace-where mono">
        {step.node}
        {step.device && `:${step.device}`}
      </span>
      <span className="trace-what">
        {step.point === "dropped" ? `dropped: ${step.words}` : words}{" "}
        {step.reason && (
          <a
            className="mono reason"
            href={`/help/drops/#${step.reason.replace(/ at .*/, "")}`}
            target="_blank"
            rel="noreferrer"
            title="What this reason means (a new tab)"
          >
            {step.reason.replace(/ at .*/, "")}
          </a>
        )}
      </span>
      <span className="trace-kernel mono muted">{step.place ? `${step.place}()` : kernel}</span>
    </li>
  );
}
