// Reads the design tokens for what CSS cannot reach (canvases, xterm), and says when they have changed.

export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function onThemeChange(listener: () => void): () => void {
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", listener);
  return () => media.removeEventListener("change", listener);
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
