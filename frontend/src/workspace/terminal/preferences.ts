// How this browser wants its terminals: size of the text, and whether a screen reader reads them. All terminals of the
// page follow one of these; kept in the browser, for every lab.

const KEY = "netlab.terminal";
export const FONT_PX = { normal: 13, min: 9, max: 32 };

export interface Preferences {
  fontPx: number;
  screenReader: boolean;
}

class PreferenceStore {
  private now: Preferences = parse(localStorage.getItem(KEY));
  private readonly listeners = new Set<() => void>();

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  get = (): Preferences => this.now;

  change(change: Partial<Preferences>): void {
    const fontPx = change.fontPx ?? this.now.fontPx;
    this.now = { ...this.now, ...change, fontPx: Math.min(FONT_PX.max, Math.max(FONT_PX.min, fontPx)) };
    localStorage.setItem(KEY, JSON.stringify(this.now));
    for (const listener of this.listeners) listener();
  }
}

function parse(kept: string | null): Preferences {
  const found = asObject(kept);
  const { fontPx } = found;
  const good = typeof fontPx === "number" && fontPx >= FONT_PX.min && fontPx <= FONT_PX.max;
  return { fontPx: good ? fontPx : FONT_PX.normal, screenReader: found.screenReader === true };
}

/** Whatever was left there is no reason for a page without terminals. */
function asObject(kept: string | null): Partial<Record<keyof Preferences, unknown>> {
  try {
    return Object(JSON.parse(kept ?? "{}"));
  } catch {
    return {};
  }
}

export const preferences = new PreferenceStore();

export function resizeText(by: number): void {
  preferences.change({ fontPx: by === 0 ? FONT_PX.normal : preferences.get().fontPx + by });
}
