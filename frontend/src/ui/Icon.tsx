// The few drawn signs of the frame, as strokes of the text's colour. Never alone: the button that has one has a name.

const PATHS = {
  /** An arrow into each corner, and out of each. */
  maximise: "M9.5 2.5h4v4M13.5 2.5l-5 5M6.5 13.5h-4v-4M2.5 13.5l5-5",
  restore: "M8.5 3.5v4h4M8.5 7.5l5-5M7.5 12.5v-4h-4M7.5 8.5l-5 5",
  fold: "M3.5 8h9",
  unfold: "M8 3.5v9M3.5 8h9",
  search: "M10.5 10.5l3.5 3.5M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10z",
  theme: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z",
} as const;
export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
      {name === "theme" && <path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentcolor" />}
    </svg>
  );
}
