// A button with a small list of actions under it. Arrow keys move, Escape closes, the focus returns to the button.
// The list lies over everything, so that no pane cuts it off, and goes upwards where there is no room below.

import { type KeyboardEvent, type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from "react";

const GAP_PX = 4;

export interface MenuItem {
  label: string;
  detail?: string;
  danger?: boolean;
  disabled?: boolean;
  /** One of several of which one holds: it is said, and marked, which. */
  checked?: boolean;
  onSelect: () => void;
}

export function Menu(props: {
  label: ReactNode;
  title: string;
  items: MenuItem[];
  disabled?: boolean;
  className?: string;
  alignEnd?: boolean;
  /** Opens upwards: for a button at the bottom of its pane. */
  above?: boolean;
}) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();

  useLayoutEffect(() => {
    if (open && list.current && button.current) place(list.current, button.current, props);
  }, [open, props]);
  useEffect(() => {
    if (!open) return;
    list.current?.querySelector<HTMLElement>("button:not(:disabled)")?.focus();
    const outside = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const items = [...(list.current?.querySelectorAll<HTMLButtonElement>("button:not(:disabled)") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLButtonElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") close();
    else if (step) items[(at + step + items.length) % items.length]?.focus();
    else if (event.key === "Tab") setOpen(false);
    else return;
    if (event.key !== "Tab") event.preventDefault();
  };

  return (
    <div className="menu" ref={root}>
      <button
        type="button"
        ref={button}
        className={props.className}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        title={props.title}
        aria-label={props.title}
        disabled={props.disabled}
        onClick={() => setOpen(!open)}
      >
        {props.label}
      </button>
      {open && (
        <div
          id={id}
          ref={list}
          role="menu"
          tabIndex={-1}
          popover="manual"
          aria-label={props.title}
          className={["menu-list", props.alignEnd && "end", props.above && "above"].filter(Boolean).join(" ")}
          onKeyDown={onKeyDown}
        >
          {props.items.map((item) => (
            <button
              type="button"
              {...(item.checked === undefined
                ? { role: "menuitem" }
                : { role: "menuitemradio", "aria-checked": item.checked })}
              key={item.label}
              className={item.danger ? "danger" : ""}
              disabled={item.disabled}
              onClick={() => {
                close();
                item.onSelect();
              }}
            >
              <span>{item.label}</span>
              {item.detail && <span className="muted small">{item.detail}</span>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function place(list: HTMLElement, button: HTMLElement, wish: { alignEnd?: boolean; above?: boolean }): void {
  if (!list.matches(":popover-open")) list.showPopover();
  const { left, right, top, bottom } = button.getBoundingClientRect();
  const { width, height } = list.getBoundingClientRect();
  const roomBelow = bottom + GAP_PX + height <= window.innerHeight;
  const roomAbove = top - GAP_PX - height >= 0;
  const below = wish.above ? !roomAbove : roomBelow || !roomAbove;
  const wanted = wish.alignEnd ? right - width : left;
  const x = Math.max(GAP_PX, Math.min(wanted, window.innerWidth - width - GAP_PX));
  Object.assign(list.style, {
    position: "fixed",
    inset: "auto",
    margin: "0",
    left: `${x}px`,
    top: below ? `${bottom + GAP_PX}px` : `${top - GAP_PX - height}px`,
  });
}
