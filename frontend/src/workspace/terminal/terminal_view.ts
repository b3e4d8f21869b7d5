// One terminal on the page: xterm, its connection, its size, its keys. No React; the pane creates and disposes it.

import "@xterm/xterm/css/xterm.css";
import { FitAddon } from "@xterm/addon-fit";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal as Xterm } from "@xterm/xterm";
import type { ConnectionState } from "../../live/socket";
import { socketUrl } from "../../live/socket";
import { TerminalConnection } from "../../live/terminal";
import { isTerminalAnswer } from "../../live/terminal_answers";
import { onThemeChange, token } from "../../ui/theme";
import { hasHardwareWebgl } from "./webgl";
import { terminalTheme } from "./xterm_theme";

const FONT_PX = 13;
const SCROLLBACK_LINES = 5_000;
export interface TerminalViewHandlers {
  onConnection(state: ConnectionState): void;
  onClosed(reason: string): void;
  /** The keyboard way out was pressed. */
  onLeave(): void;
}

export class TerminalView {
  private readonly xterm: Xterm;
  private readonly fitAddon = new FitAddon();
  private readonly connection: TerminalConnection;
  private readonly observer: ResizeObserver;
  private readonly undo: (() => void)[] = [];
  private readonly encoder = new TextEncoder();
  private webgl: WebglAddon | null = null;

  constructor(element: HTMLElement, run: string, terminal: string, label: string, handlers: TerminalViewHandlers) {
    this.xterm = new Xterm({
      fontFamily: token("mono"),
      fontSize: FONT_PX,
      lineHeight: 1.15,
      scrollback: SCROLLBACK_LINES,
      theme: terminalTheme(),
      minimumContrastRatio: 4.5,
      cursorBlink: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
      rightClickSelectsWord: true,
      macOptionIsMeta: true,
      allowProposedApi: true, // the width of characters newer than Unicode 6
    });
    this.xterm.loadAddon(this.fitAddon);
    this.xterm.loadAddon(new Unicode11Addon());
    this.xterm.unicode.activeVersion = "11"; // as the shell counts columns
    this.xterm.loadAddon(new WebLinksAddon((_event, uri) => window.open(uri, "_blank", "noopener,noreferrer")));
    this.xterm.open(element);
    // A shell needs the Tab key, so Tab must not lead in here by itself: nobody would get out again. Enter on the tab does.
    if (this.xterm.textarea) this.xterm.textarea.tabIndex = -1;
    this.xterm.textarea?.setAttribute("aria-label", `${label}. Control Shift Arrow up leaves the terminal.`);
    this.xterm.attachCustomKeyEventHandler((event) => this.key(event, handlers));
    this.fit();

    this.connection = new TerminalConnection(
      socketUrl(`/ws/runs/${run}/terminals/${terminal}/`),
      { rows: this.xterm.rows, cols: this.xterm.cols },
      {
        write: (bytes, drawn) => this.xterm.write(bytes, drawn),
        clear: () => this.xterm.reset(),
      },
      handlers,
    );
    this.xterm.onData((text) => {
      if (this.connection.replaying && isTerminalAnswer(text)) return;
      this.connection.input(this.encoder.encode(text));
    });
    this.xterm.onBinary((text) => this.connection.input(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    this.xterm.onResize(({ rows, cols }) => this.connection.resize(rows, cols));

    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(element);
    this.undo.push(
      onThemeChange(() => {
        this.xterm.options.theme = terminalTheme();
      }),
    );
    this.listen(window, "online", () => this.connection.retryNow());
    this.listen(window, "offline", () => this.connection.dropNow());
    this.listen(document, "visibilitychange", () => {
      if (!document.hidden) this.connection.retryNow();
    });
  }

  /** Called when the tab is shown or hidden; only a terminal that is seen may hold a WebGL context. */
  shown(visible: boolean): void {
    if (!visible) {
      this.webgl?.dispose();
      this.webgl = null;
      return;
    }
    this.fit();
    if (this.webgl || !hasHardwareWebgl()) return;
    const webgl = new WebglAddon();
    webgl.onContextLoss(() => {
      webgl.dispose();
      if (this.webgl === webgl) this.webgl = null;
    });
    this.xterm.loadAddon(webgl);
    this.webgl = webgl;
  }

  focus(): void {
    this.xterm.focus();
  }

  /**
   * Put text at the prompt without running it. Several lines go in as one bracketed paste; false when the program in the
   * terminal does not take one, since then each line's end would run it.
   */
  type(text: string): boolean {
    if (text.includes("\n") && !this.xterm.modes.bracketedPasteMode) return false;
    if (text.includes("\n")) this.xterm.paste(text);
    else this.connection.input(this.encoder.encode(text));
    this.focus();
    return true;
  }

  dispose(): void {
    for (const undo of this.undo) undo();
    this.observer.disconnect();
    this.connection.close();
    this.webgl?.dispose();
    this.xterm.dispose();
  }

  private fit(): void {
    const element = this.xterm.element?.parentElement;
    if (element && element.clientWidth > 0 && element.clientHeight > 0) this.fitAddon.fit();
  }

  /** False keeps a key away from the shell. */
  private key(event: KeyboardEvent, handlers: TerminalViewHandlers): boolean {
    if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
    if (event.code === "KeyV") return false; // the browser's own paste follows, without asking for a permission
    if (event.code === "ArrowUp") {
      event.preventDefault();
      if (event.type === "keydown") handlers.onLeave();
      return false;
    }
    if (event.code === "KeyC") {
      event.preventDefault();
      if (event.type === "keydown") this.copy();
      return false;
    }
    return true;
  }

  private copy(): void {
    const text = this.xterm.getSelection();
    if (!text) return;
    if (navigator.clipboard) void navigator.clipboard.writeText(text);
    else document.execCommand("copy"); // plain HTTP: xterm fills in its own selection
  }

  private listen(target: EventTarget, name: string, listener: () => void): void {
    target.addEventListener(name, listener);
    this.undo.push(() => target.removeEventListener(name, listener));
  }
}
