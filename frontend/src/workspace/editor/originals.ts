// What the files can be compared with: the lab's starter, and the solution of the open step where it may be seen.

import { useEffect, useState } from "react";
import { ApiError, api } from "../../api/client";
import type { Originals } from "../../api/types";
import { useSession } from "../context";

const NONE: Originals = { starter: [], may_see_solution: false, solution: [], actions: [] };

/** Asked anew at each step, so that an instructor who lets people see solutions need not tell them to reload. */
export function useOriginals(run: string): Originals {
  const step = useSession((s) => s.step);
  const [originals, setOriginals] = useState(NONE);
  useEffect(() => {
    let left = false;
    const ask = async () => {
      try {
        const found = await api.getOriginals(run, step);
        if (!left) setOriginals(found);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error; // a comparison is not offered then
      }
    };
    if (run && step) void ask();
    return () => {
      left = true;
    };
  }, [run, step]);
  return originals;
}

export function textOf(files: Originals["starter"], path: string): string | null {
  return files.find((file) => file.path === path)?.content ?? null;
}
