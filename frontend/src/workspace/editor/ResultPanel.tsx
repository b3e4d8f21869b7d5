// What the last build and load said: one sentence, the problems by line, the verifier's log folded onto source lines.

import { useEffect, useState } from "react";
import type { Diagnostic, ProgramResult, VerifierLine } from "../../api/types";
import { useCommands } from "../commands";
import type { EditorDesk } from "./desk";

interface ResultPanelProps {
  result: ProgramResult | null;
  /** The program's own file, to which the log belongs. */
  path: string;
  desk: EditorDesk;
}

type Tab = "problems" | "log";
const SEVERITY_SIGNS: Record<Diagnostic["severity"], string> = { error: "✗", warning: "!", note: "i" };

export function ResultPanel({ result, path, desk }: ResultPanelProps) {
  const [tab, setTab] = useState<Tab | null>(null);
  const problems = result?.diagnostics ?? [];
  const log = result?.log ?? [];

  // biome-ignore lint/correctness/useExhaustiveDependencies: each new result decides anew what is shown
  useEffect(() => {
    setTab(problems.length > 0 ? "problems" : null);
  }, [result]);

  useCommands("editor-result", [
    {
      id: "editor.problems",
      title: "Show or hide the problems",
      group: "Editor",
      ...(problems.length > 0 ? {} : { off: "there are none" }),
      run: () => toggle("problems"),
    },
    {
      id: "editor.log",
      title: "Show or hide the verifier's log",
      group: "Editor",
      ...(log.length > 0 ? {} : { off: "the verifier has said nothing" }),
      run: () => toggle("log"),
    },
  ]);
  const toggle = (wanted: Tab) => setTab(tab === wanted ? null : wanted);
  return (
    <div className="result">
      {tab === "problems" && <Problems problems={problems} desk={desk} />}
      {tab === "log" && <VerifierLog log={log} path={path} desk={desk} />}
      <div className="result-bar">
        {result ? <Summary result={result} /> : <span className="summary muted">Not built yet</span>}
        {problems.length > 0 && (
          <button type="button" className="quiet" aria-expanded={tab === "problems"} onClick={() => toggle("problems")}>
            Problems {problems.length}
          </button>
        )}
        {log.length > 0 && (
          <button type="button" className="quiet" aria-expanded={tab === "log"} onClick={() => toggle("log")}>
            Verifier log
          </button>
        )}
      </div>
    </div>
  );
}

function Summary({ result }: { result: ProgramResult }) {
  const good = result.outcome === "attached" || result.outcome === "built";
  const parts = [
    result.instructions > 0 ? `${result.instructions} instructions` : "",
    result.build_ms > 0 ? `built in ${Math.round(result.build_ms)} ms` : "",
    result.load_ms > 0
      ? `loaded in ${result.load_ms < 10 ? result.load_ms.toFixed(1) : Math.round(result.load_ms)} ms`
      : "",
  ].filter(Boolean);
  return (
    <span className="summary" data-outcome={result.outcome} title={[result.summary, ...parts].join("\n")}>
      <span className={`dot ${good ? "good" : "bad"}`} />
      <strong>{result.summary}</strong>
      <span className="muted small figures">{parts.join(" · ")}</span>
    </span>
  );
}

function Problems({ problems, desk }: { problems: readonly Diagnostic[]; desk: EditorDesk }) {
  return (
    <ul className="result-list" aria-label="Problems">
      {problems.map((p) => (
        <li key={`${p.path}:${p.line}:${p.column}:${p.message}`} className={p.severity}>
          <button type="button" className="quiet" onClick={() => void desk.open(p.path, p.line, p.column)}>
            <span className="sign" aria-hidden="true">
              {SEVERITY_SIGNS[p.severity]}
            </span>
            <span className="visually-hidden">{p.severity}: </span>
            <span className="mono where">
              {p.path}:{p.line}
            </span>
            <span className="what">
              {p.message}
              {p.hint && <span className="muted"> {p.hint}</span>}
            </span>
            <span className="muted small">{p.source}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function VerifierLog({ log, path, desk }: { log: readonly VerifierLine[]; path: string; desk: EditorDesk }) {
  const telling = log.findLastIndex((piece) => piece.line > 0); // where the verifier stopped
  return (
    <section className="result-list log" aria-label="Verifier log">
      <p className="muted small log-help">
        What the registers held: point at a line with a dotted number, or press <kbd>F9</kbd> on it.
      </p>
      {log.map((piece, index) => {
        const lines = piece.text.split("\n").length;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a log's pieces have no other name and never move
          <details key={index} open={index === telling}>
            <summary>
              <span className="mono where">{piece.line > 0 ? `line ${piece.line}` : "log"}</span>
              <code>{piece.line > 0 ? desk.lineText(path, piece.line) : ""}</code>
              <span className="muted small">
                {lines} {lines === 1 ? "line" : "lines"}
              </span>
            </summary>
            <pre>{piece.text}</pre>
          </details>
        );
      })}
    </section>
  );
}
