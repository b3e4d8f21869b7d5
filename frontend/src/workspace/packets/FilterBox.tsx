// The filter's line: what is wrong with it is said below it in one sentence, fields that begin like its last word are offered.

import { type KeyboardEvent, useId, useRef, useState } from "react";
import { FIELD_BY_NAME, FIELDS, type FilterField } from "./fields";
import type { Wrong } from "./filter";

const SUGGESTED_MAX = 7;
const LAST_WORD = /[a-z0-9_.]*$/i;

interface FilterBoxProps {
  value: string;
  onChange: (value: string) => void;
  wrong: Wrong | null;
  /** For what moves the focus here. */
  id: string;
}

export function suggestionsFor(text: string): FilterField[] {
  const word = LAST_WORD.exec(text)?.[0].toLowerCase() ?? "";
  if (!word || FIELD_BY_NAME.has(word) || /(==|!=|[<>=]|contains)\s*\S*$/.test(text)) return [];
  const starts = FIELDS.filter(({ name }) => name.startsWith(word));
  const within = FIELDS.filter(({ name }) => !name.startsWith(word) && name.includes(word));
  return [...starts, ...within].slice(0, SUGGESTED_MAX);
}

export function FilterBox({ value, onChange, wrong, id }: FilterBoxProps) {
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const offered = open ? suggestionsFor(value) : [];

  const take = (field: FilterField) => {
    onChange(`${value.replace(LAST_WORD, "")}${field.name}${field.kind === "flag" ? " " : " == "}`);
    setAt(-1);
    input.current?.focus();
  };
  const onKey = (event: KeyboardEvent) => {
    const chosen = offered[at];
    if (event.key === "ArrowDown" && offered.length) setAt((at + 1) % offered.length);
    else if (event.key === "ArrowUp" && offered.length) setAt((at <= 0 ? offered.length : at) - 1);
    else if ((event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) && chosen) take(chosen);
    else if ((event.key === "Escape" || event.key === "Enter") && offered.length) setOpen(false);
    else if (event.key === "Escape" && value) onChange("");
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className={wrong ? "packet-filter wrong" : "packet-filter"}>
      <input
        id={id}
        ref={input}
        type="text"
        role="combobox"
        aria-label="Filter packets"
        aria-expanded={offered.length > 0}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={at >= 0 && offered.length ? `${list}-${at}` : undefined}
        aria-invalid={wrong !== null}
        aria-describedby={`${list}-wrong`}
        autoComplete="off"
        spellCheck={false}
        className="mono"
        placeholder="Filter: icmp, port 80, not arp …"
        value={value}
        onChange={(event) => {
          setOpen(true);
          setAt(-1);
          onChange(event.target.value);
        }}
        onBlur={() => setOpen(false)}
        onKeyDown={onKey}
      />
      {value && (
        <button
          type="button"
          className="quiet icon packet-filter-clear"
          aria-label="Clear the filter"
          onClick={() => onChange("")}
        >
          ✕
        </button>
      )}
      <div id={list} role="listbox" aria-label="Fields" className="packet-suggestions" hidden={offered.length === 0}>
        {offered.map((field, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the text field has the keys
          // biome-ignore lint/a11y/useFocusableInteractive: the text field has the focus and says which is active
          <div
            key={field.name}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === at}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => take(field)}
          >
            <span className="mono">{field.name}</span> <span className="muted small">{field.words}</span>
          </div>
        ))}
      </div>
      <p id={`${list}-wrong`} className="packet-wrong small" role="status">
        {wrong && offered.length === 0 && (
          <>
            {wrong.message} <span className="muted">{wrong.hint}</span>
          </>
        )}
      </p>
    </div>
  );
}
