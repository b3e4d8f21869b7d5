// The lab's list of counters for React: changes when a device comes or goes, not with samples.

import { useEffect, useState } from "react";
import type { CounterSchema } from "../../api/types";
import type { CounterStore } from "../../live/counters";

export function useCounterSchema(counters: CounterStore): CounterSchema | null {
  const [schema, setSchema] = useState<CounterSchema | null>(counters.schema);
  useEffect(() => {
    setSchema(counters.schema);
    return counters.onSchema(() => setSchema(counters.schema));
  }, [counters]);
  return schema;
}
