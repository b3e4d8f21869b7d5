// Keys as they are pressed: "Ctrl+Shift+K" as three caps.

import { Fragment } from "react";

export function Keys({ keys }: { keys: string }) {
  const caps = keys === "+" ? ["+"] : keys.replace(/\+\+$/, "+plus").split("+");
  return (
    <span className="keys">
      {caps.map((cap, index) => (
        <Fragment key={cap}>
          {index > 0 && "+"}
          <kbd>{cap === "plus" ? "+" : cap}</kbd>
        </Fragment>
      ))}
    </span>
  );
}
