// The theme of the page, and the design tokens for what CSS cannot reach (canvases, xterm). The tokens themselves are in the
// style sheets that all pages link (tokens.css, tokens-dark.css); the choice is a cookie, so that the server draws the next
// page in it from the first byte on.

export const THEMES = {
  auto: "As the system",
  light: "Light",
  dark: "Dark",
  projector: "Projector, high contrast",
} as const;
export type Theme = keyof typeof THEMES;

const COOKIE = "netlab_theme";
const COOKIE_AGE_S = 365 * 86_400;
const SYSTEM_IS_DARK = "(prefers-color-scheme: dark)";
/** Where tokens.css makes type larger. */
const LARGE_SCREENS = ["(min-width: 2200px) and (min-height: 1200px)", "(min-width: 3200px) and (min-height: 1700px)"];
/** For whom the dark colours count; for all other themes nobody. The same as DARK_MEDIA of the server's theme.py. */
const DARK_MEDIA: Partial<Record<Theme, string>> = { auto: SYSTEM_IS_DARK, dark: "all" };

const listeners = new Set<() => void>();
const tell = () => {
  for (const listener of [...listeners]) listener();
};

export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** A length or a plain number ("13px", "1.5") of the tokens. */
export function tokenNumber(name: string): number {
  return Number.parseFloat(token(name));
}

export function theme(): Theme {
  return asTheme(document.documentElement.dataset.theme);
}

export function setTheme(wanted: Theme): void {
  const secure = location.protocol === "https:" ? "; secure" : "";
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store is not there on plain HTTP, nor in every browser
  document.cookie = `${COOKIE}=${wanted}; path=/; max-age=${COOKIE_AGE_S}; samesite=lax${secure}`;
  show(wanted);
}

/** Called whenever a token may have another value: a theme is chosen, here or in another tab, or the system's changes. */
export function onThemeChange(listener: () => void): () => void {
  if (listeners.size === 0) watch(true);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) watch(false);
  };
}

/** The nonce under which the CSP lets libraries add style elements. */
export function cspNonce(): string {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]');
  return meta?.nonce || meta?.content || "";
}

/** One colour for one interface everywhere, by its place in the lab. */
export function seriesToken(index: number): string {
  return `series-${(index % 8) + 1}`;
}

function asTheme(text: string | undefined): Theme {
  return text !== undefined && Object.hasOwn(THEMES, text) ? (text as Theme) : "auto";
}

function show(wanted: Theme): void {
  if (wanted === theme()) return;
  document.documentElement.dataset.theme = wanted;
  const dark = document.querySelector<HTMLLinkElement>("#dark-tokens");
  if (dark) dark.media = DARK_MEDIA[wanted] ?? "not all";
  tell();
}

/** Another tab may have chosen meanwhile. */
function look(): void {
  if (document.hidden) return;
  const chosen = document.cookie.split("; ").find((pair) => pair.startsWith(`${COOKIE}=`));
  if (chosen) show(asTheme(chosen.slice(COOKIE.length + 1)));
}

/** The same object takes a listener off that it was put on. */
let queries: MediaQueryList[] = [];

function watch(on: boolean): void {
  const change = on ? "addEventListener" : "removeEventListener";
  if (on) queries = [SYSTEM_IS_DARK, ...LARGE_SCREENS].map((query) => window.matchMedia(query));
  for (const query of queries) query[change]("change", tell);
  document[change]("visibilitychange", look);
}
