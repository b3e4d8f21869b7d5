// What a browser must load: 200 KB for the first paint, 700 KB for everything, gzip. Measured on a build made here.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { beforeAll, describe, expect, it } from "vitest";

const FIRST_PAINT_BYTES_MAX = 200_000;
const TOTAL_BYTES_MAX = 700_000;
/** Linked by every page beside the build. */
const TOKENS = ["tokens.css", "tokens-dark.css"].map((name) => `../netlab/pages/static/netlab/${name}`);

let output: Rolldown.RolldownOutput["output"];

beforeAll(async () => {
  process.env.NODE_ENV = "production"; // vitest's own would build React's development version
  const built = await build({ logLevel: "error", build: { write: false } });
  output = (built as Rolldown.RolldownOutput).output;
}, 120_000);

const size = (content: string | Uint8Array) => gzipSync(content, { level: 6 }).length;

const tokensSize = () => TOKENS.reduce((sum, path) => sum + size(readFileSync(path)), 0);

function sizeOf(name: string): number {
  const file = output.find((o) => o.fileName === name);
  if (!file) throw new Error(`no ${name} in the build`);
  return size(file.type === "chunk" ? file.code : file.source);
}

/** A chunk, the styles it brings, and everything it imports before it can run. */
function withImports(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  const chunk = output.find((o) => o.fileName === name);
  if (chunk?.type !== "chunk") return seen;
  for (const css of chunk.viteMetadata?.importedCss ?? []) seen.add(css);
  for (const next of chunk.imports) withImports(next, seen);
  return seen;
}

describe("the budget", () => {
  it("holds for the first paint", () => {
    const entry = output.find((o) => o.type === "chunk" && o.isEntry && o.facadeModuleId?.endsWith("src/main.tsx"));
    const files = [...withImports(entry?.fileName ?? "")];
    const bytes = files.reduce((sum, name) => sum + sizeOf(name), tokensSize());
    console.info(`first paint: ${(bytes / 1000).toFixed(1)} KB gzip`, files);
    expect(files.some((name) => name.endsWith(".css"))).toBe(true);
    expect(bytes).toBeLessThanOrEqual(FIRST_PAINT_BYTES_MAX);
  });

  it("holds for everything", () => {
    const shipped = output.filter((o) => /\.(js|css)$/.test(o.fileName));
    const bytes = shipped.reduce((sum, o) => sum + sizeOf(o.fileName), tokensSize());
    console.info(`everything: ${(bytes / 1000).toFixed(1)} KB gzip`);
    expect(bytes).toBeLessThanOrEqual(TOTAL_BYTES_MAX);
  });

  it("loads terminals, editor and charts later", () => {
    const entry = output.find((o) => o.type === "chunk" && o.isEntry && o.facadeModuleId?.endsWith("src/main.tsx"));
    const first = [...withImports(entry?.fileName ?? "")];
    const modules = output.flatMap((o) => (o.type === "chunk" && first.includes(o.fileName) ? o.moduleIds : []));
    expect(modules.filter((id) => /node_modules\/(@xterm|@codemirror|uplot)/.test(id))).toEqual([]);
  });

  it("loads nothing from anywhere else", () => {
    const elsewhere = output.flatMap((o) =>
      o.type === "asset" && o.fileName.endsWith(".css")
        ? (String(o.source).match(/url\((?!["']?(data:|\/static\/|#))[^)]*\)/g) ?? [])
        : [],
    );
    expect(elsewhere).toEqual([]);
  });
});
