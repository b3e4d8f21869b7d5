// Which function a call graph starts from: one of the presets in plain words, or any that the kernel has, looked for while
// somebody types; how many calls, how deep.

import { useEffect, useId, useState, useSyncExternalStore } from "react";
import { useLabSession } from "../context";
import { isName, isPreset, PRESETS } from "./presets";

const OTHER = "";
const ASK_AFTER_MS = 250;
const CALLS = [1, 5, 20, 50];
const DEPTHS = [4, 8, 16, 32];

export interface Start {
  function: string;
  depth: number;
  calls: number;
}

export function FunctionWish({ wish, onWish }: { wish: Start; onWish: (wish: Partial<Start>) => void }) {
  const [other, setOther] = useState(!isPreset(wish.function));
  return (
    <>
      <select
        className="trace-start"
        aria-label="Start from"
        value={other ? OTHER : wish.function}
        onChange={(event) => {
          setOther(event.target.value === OTHER);
          if (event.target.value !== OTHER) onWish({ function: event.target.value });
        }}
      >
        {PRESETS.map((group) => (
          <optgroup key={group.title} label={group.title}>
            {group.starts.map((start) => (
              <option key={start.name} value={start.name}>
                {start.words} – {start.name}
              </option>
            ))}
          </optgroup>
        ))}
        <option value={OTHER}>another function …</option>
      </select>
      {other && <Search value={wish.function} onValue={(name) => onWish({ function: name })} />}
      <select aria-label="Calls" value={wish.calls} onChange={(event) => onWish({ calls: Number(event.target.value) })}>
        {CALLS.map((calls) => (
          <option key={calls} value={calls}>
            {calls === 1 ? "next call" : `next ${calls} calls`}
          </option>
        ))}
      </select>
      <select aria-label="Depth" value={wish.depth} onChange={(event) => onWish({ depth: Number(event.target.value) })}>
        {DEPTHS.map((depth) => (
          <option key={depth} value={depth}>
            {depth} deep
          </option>
        ))}
      </select>
    </>
  );
}

function Search({ value, onValue }: { value: string; onValue: (name: string) => void }) {
  const session = useLabSession();
  const found = useSyncExternalStore(session.trace.subscribe, session.trace.getFound);
  const id = useId();
  useEffect(() => {
    const words = value.trim();
    if (words.length < 2 || !isName(words.replaceAll(" ", "_"))) return;
    const timer = window.setTimeout(() => void session.findFunctions(words.slice(0, 64)), ASK_AFTER_MS);
    return () => window.clearTimeout(timer);
  }, [session, value]);
  return (
    <>
      <input
        className="mono trace-search"
        aria-label="Function"
        placeholder="part of its name"
        list={id}
        value={value}
        maxLength={128}
        spellCheck={false}
        autoComplete="off"
        aria-invalid={!isName(value)}
        onChange={(event) => onValue(event.target.value)}
      />
      <datalist id={id}>
        {found?.functions.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {found && found.search === value.trim() && found.functions.length === 0 && (
        <span className="small trace-none">no such function in this kernel's network stack</span>
      )}
    </>
  );
}
