// One terminal on the page: xterm, its connection, its size, its keys. No React; the pane creates and disposes it.

import "@xterm/xterm/css/xterm.css";
import { FitAddon } from "@xterm/addon-fit";
import type { SearchAddon } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import type { WebglAddon } from "@xterm/addon-webgl";
import { Terminal as Xterm } from "@xterm/xterm";
import type { ConnectionState } from "../../live/socket";
import { socketUrl } from "../../live/socket";
import { TerminalConnection } from "../../live/terminal";
import { isTerminalAnswer } from "../../live/terminal_answers";
import { onThemeChange, token, tokenNumber } from "../../ui/theme";
import { cleanPaste, linesThatWouldRun } from "./paste";
import { FONT_PX, preferences, resizeText } from "./preferences";
import { type TerminalKey, terminalKey } from "./terminal_keys";
import { hasHardwareWebgl } from "./webgl";
import { searchColours, terminalTheme } from "./xterm_theme";

const SCROLLBACK_LINES = 5_000;
const MATCHES_MAX = 1_000;
const IS_MAC = /^Mac|^iP/.test(navigator.platform);
/** Of another's program: what it prints must not lead anywhere but to a web page. */
const WEB_ADDRESS = /^https?:\/\//i;

export interface TerminalViewHandlers {
  onConnection(state: ConnectionState): void;
  onClosed(reason: string): void;
  onFocus(): void;
  /** A key that the pane answers: the way out, the other side, the search. */
  onKey(key: TerminalKey): void;
  /** A paste of which each line would run: asked first. */
  onRiskyPaste(text: string, lines: number): void;
  /** `index` from 0, -1 for none; `count` is MATCHES_MAX for that many or more. */
  onMatches(index: number, count: number): void;
}

export interface SearchOptions {
  caseSensitive: boolean;
  regex: boolean;
}

export class TerminalView {
  private readonly xterm: Xterm;
  private readonly fitAddon = new FitAddon();
  private readonly connection: TerminalConnection;
  private readonly observer: ResizeObserver;
  private readonly handlers: TerminalViewHandlers;
  private readonly undo: (() => void)[] = [];
  private readonly encoder = new TextEncoder();
  private webgl: WebglAddon | null = null;
  private searching: Promise<SearchAddon> | null = null;
  private visible = false;
  private gone = false;

  constructor(element: HTMLElement, run: string, terminal: string, label: string, handlers: TerminalViewHandlers) {
    this.handlers = handlers;
    const follow = (uri: string) => {
      if (WEB_ADDRESS.test(uri)) window.open(uri, "_blank", "noopener,noreferrer");
    };
    this.xterm = new Xterm({
      fontFamily: token("mono"),
      fontSize: fontPxHere(),
      lineHeight: 1.15,
      scrollback: SCROLLBACK_LINES,
      theme: terminalTheme(),
      minimumContrastRatio: 4.5,
      cursorBlink: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
      rightClickSelectsWord: true,
      macOptionIsMeta: true,
      screenReaderMode: preferences.get().screenReader,
      allowProposedApi: true, // the width of characters newer than Unicode 6, and marks on what was found
      linkHandler: {
        activate: (_event, uri) => follow(uri),
        hover: (_event, uri) => element.setAttribute("title", uri), // its text may say something else
        leave: () => element.removeAttribute("title"),
      },
    });
    this.xterm.loadAddon(this.fitAddon);
    this.xterm.loadAddon(new Unicode11Addon());
    this.xterm.unicode.activeVersion = "11"; // as the shell counts columns
    this.xterm.loadAddon(new WebLinksAddon((_event, uri) => follow(uri)));
    this.xterm.open(element);
    // A shell needs the Tab key, so Tab must not lead in here by itself: nobody would get out again. Enter on the tab does.
    if (this.xterm.textarea) this.xterm.textarea.tabIndex = -1;
    this.xterm.textarea?.setAttribute("aria-label", `${label}. Control Shift Arrow up leaves the terminal.`);
    this.xterm.attachCustomKeyEventHandler((event) => this.key(event));
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
        this.follow();
      }),
      preferences.subscribe(() => this.follow()),
    );
    // Before xterm's own listener on the textarea: a paste is cleaned, and asked about, first.
    this.listen(element, "paste", (event) => this.pasted(event as ClipboardEvent), true);
    this.listen(element, "focusin", () => handlers.onFocus());
    this.listen(window, "online", () => this.connection.retryNow());
    this.listen(window, "offline", () => this.connection.dropNow());
    this.listen(document, "visibilitychange", () => {
      if (!document.hidden) this.connection.retryNow();
    });
  }

  /** Called when the tab is shown or hidden; only a terminal that is seen may hold a WebGL context. */
  shown(visible: boolean): void {
    this.visible = visible;
    if (visible) {
      this.fit();
      void this.drawByHardware();
      return;
    }
    this.webgl?.dispose();
    this.webgl = null;
  }

  /** Takes no input; reading, selecting and copying go on. */
  freeze(frozen: boolean): void {
    this.xterm.options.disableStdin = frozen;
    this.xterm.options.cursorInactiveStyle = frozen ? "none" : "outline";
  }

  focus(): void {
    this.xterm.focus();
  }

  get isFrozen(): boolean {
    return this.xterm.options.disableStdin === true;
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

  /** What a person has agreed to. */
  paste(text: string): void {
    this.xterm.paste(text);
    this.focus();
  }

  /** False when nothing is selected. */
  copy(): boolean {
    const text = this.xterm.getSelection();
    if (!text) return false;
    if (navigator.clipboard) void navigator.clipboard.writeText(text);
    else document.execCommand("copy"); // plain HTTP: xterm fills in its own selection
    return true;
  }

  /** From a menu: browsers ask the person whether the page may read the clipboard. False when it may not. */
  async pasteFromClipboard(): Promise<boolean> {
    const text = await navigator.clipboard?.readText().catch(() => null);
    if (typeof text !== "string") return false;
    this.consider(text);
    return true;
  }

  /** The next match above (older) or below; what is found is selected and scrolled to. */
  async find(text: string, options: SearchOptions, older: boolean, typing: boolean): Promise<void> {
    this.searching ??= this.loadSearch();
    const search = await this.searching;
    if (this.gone) return;
    const how = { ...options, incremental: typing, decorations: searchColours() };
    if (!text) search.clearDecorations();
    else if (older) search.findPrevious(text, how);
    else search.findNext(text, how);
    if (!text) this.handlers.onMatches(-1, 0);
  }

  async endSearch(): Promise<void> {
    (await this.searching)?.clearDecorations();
  }

  /** The network went away, or is back, as others of the page have noticed first. */
  dropNow(): void {
    this.connection.dropNow();
  }

  retryNow(): void {
    this.connection.retryNow();
  }

  dispose(): void {
    this.gone = true;
    for (const undo of this.undo) undo();
    this.observer.disconnect();
    this.connection.close();
    this.webgl?.dispose();
    this.xterm.dispose();
  }

  private async drawByHardware(): Promise<void> {
    if (this.webgl || !hasHardwareWebgl()) return;
    const { WebglAddon } = await import("@xterm/addon-webgl");
    if (this.webgl || this.gone || !this.visible) return;
    const webgl = new WebglAddon();
    webgl.onContextLoss(() => {
      webgl.dispose();
      if (this.webgl === webgl) this.webgl = null;
    });
    this.xterm.loadAddon(webgl);
    this.webgl = webgl;
  }

  private async loadSearch(): Promise<SearchAddon> {
    const { SearchAddon } = await import("@xterm/addon-search");
    const search = new SearchAddon({ highlightLimit: MATCHES_MAX });
    if (this.gone) return search;
    this.xterm.loadAddon(search);
    search.onDidChangeResults(({ resultIndex, resultCount }) => this.handlers.onMatches(resultIndex, resultCount));
    return search;
  }

  private follow(): void {
    this.xterm.options.fontSize = fontPxHere();
    this.xterm.options.screenReaderMode = preferences.get().screenReader;
    this.fit();
  }

  private fit(): void {
    const element = this.xterm.element?.parentElement;
    if (element && element.clientWidth > 0 && element.clientHeight > 0) this.fitAddon.fit();
  }

  /** False keeps a key away from the shell. */
  private key(event: KeyboardEvent): boolean {
    const key = terminalKey(event, IS_MAC);
    if (!key) return true;
    if (key === "paste") return false; // the browser's own paste follows, without asking for a permission
    event.preventDefault();
    if (event.type !== "keydown") return false;
    if (key === "copy") this.copy();
    else if (key === "larger") resizeText(1);
    else if (key === "smaller") resizeText(-1);
    else if (key === "normal") resizeText(0);
    else this.handlers.onKey(key);
    return false;
  }

  private pasted(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData("text/plain");
    if (!text) return;
    event.preventDefault();
    event.stopPropagation();
    this.consider(text);
  }

  private consider(text: string): void {
    if (this.isFrozen) return;
    const clean = cleanPaste(text);
    const lines = linesThatWouldRun(clean, this.xterm.modes.bracketedPasteMode);
    if (lines > 0) this.handlers.onRiskyPaste(clean, lines);
    else this.paste(clean);
  }

  private listen(target: EventTarget, name: string, listener: (event: Event) => void, capture = false): void {
    target.addEventListener(name, listener, capture);
    this.undo.push(() => target.removeEventListener(name, listener, capture));
  }
}

/** What a person has chosen, in the measure of the theme and the screen: the projector's text is larger for everybody. */
function fontPxHere(): number {
  const normal = tokenNumber("term-size") || FONT_PX.normal;
  return Math.round((preferences.get().fontPx * normal) / FONT_PX.normal);
}
