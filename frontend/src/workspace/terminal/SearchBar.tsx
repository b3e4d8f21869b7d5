// Search in what a terminal has printed. Enter goes up to older lines, as one reads a log from its end.

import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import type { SearchOptions, TerminalView } from "./terminal_view";

export interface Matches {
  index: number;
  count: number;
}

interface SearchBarProps {
  view: TerminalView;
  matches: Matches;
  label: string;
  onClose: () => void;
}

export function SearchBar({ view, matches, label, onClose }: SearchBarProps) {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [options, setOptions] = useState<SearchOptions>({ caseSensitive: false, regex: false });
  const pattern = options.regex && !isPattern(text) ? "" : text;

  useEffect(() => {
    input.current?.focus();
    return () => void view.endSearch();
  }, [view]);
  useEffect(() => void view.find(pattern, options, true, true), [view, pattern, options]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") onClose();
    else if (event.key === "Enter") void view.find(pattern, options, !event.shiftKey, false);
    else return;
    event.preventDefault();
  };
  const toggle = (name: keyof SearchOptions, sign: string, title: string) => (
    <button
      type="button"
      className="quiet icon"
      aria-pressed={options[name]}
      aria-label={title}
      title={title}
      onClick={() => setOptions({ ...options, [name]: !options[name] })}
    >
      {sign}
    </button>
  );

  return (
    <search className="terminal-search" aria-label={label} onKeyDown={onKeyDown}>
      <input
        ref={input}
        type="text"
        aria-label={label}
        placeholder="Search"
        spellCheck={false}
        value={text}
        aria-invalid={text !== pattern}
        onChange={(event) => setText(event.target.value)}
      />
      <span className="small muted found" role="status">
        {told(text, pattern, matches)}
      </span>
      {toggle("caseSensitive", "Aa", "Match capitals")}
      {toggle("regex", ".*", "Regular expression")}
      <button
        type="button"
        className="quiet icon"
        aria-label="Older match"
        title="Older match (Enter)"
        disabled={!pattern}
        onClick={() => void view.find(pattern, options, true, false)}
      >
        ↑
      </button>
      <button
        type="button"
        className="quiet icon"
        aria-label="Newer match"
        title="Newer match (Shift+Enter)"
        disabled={!pattern}
        onClick={() => void view.find(pattern, options, false, false)}
      >
        ↓
      </button>
      <button type="button" className="quiet icon" aria-label="Close the search" title="Close (Esc)" onClick={onClose}>
        ✕
      </button>
    </search>
  );
}

function told(text: string, pattern: string, { index, count }: Matches): string {
  if (!text) return "";
  if (!pattern) return "no regular expression";
  if (count === 0) return "nothing found";
  return index < 0 ? `${count} or more` : `${index + 1} of ${count}`;
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}
