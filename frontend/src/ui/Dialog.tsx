// A modal dialog on the browser's own <dialog>: it traps the focus, Escape closes it, the focus goes back to where it was
// afterwards.

import { type PointerEvent, type ReactNode, useEffect, useId, useRef } from "react";

interface DialogProps {
  title: string;
  wide?: boolean;
  className?: string;
  /** A press beside it closes it: for what holds nothing that could be lost. */
  light?: boolean;
  onClose: () => void;
  children: ReactNode;
}

export function Dialog(props: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    // taken off the page the browser does not give the focus back by itself
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const onPointerDown = (event: PointerEvent<HTMLDialogElement>) => {
    if (!props.light || event.target !== element.current) return;
    const { left, right, top, bottom } = element.current.getBoundingClientRect();
    const { clientX: x, clientY: y } = event;
    if (x < left || x > right || y < top || y > bottom) props.onClose();
  };
  return (
    <dialog
      ref={element}
      className={[props.wide ? "wide" : "", props.className ?? ""].join(" ").trim()}
      aria-labelledby={titleId}
      onClose={props.onClose}
      onPointerDown={onPointerDown}
    >
      <h2 id={titleId}>{props.title}</h2>
      {props.children}
    </dialog>
  );
}

export function ConfirmDialog(props: {
  title: string;
  text: string;
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p>{props.text}</p>
      <div className="dialog-buttons">
        <button type="button" onClick={props.onClose}>
          Cancel
        </button>
        <button
          type="button"
          className="primary"
          onClick={() => {
            props.onClose();
            props.onConfirm();
          }}
        >
          {props.action}
        </button>
      </div>
    </Dialog>
  );
}
