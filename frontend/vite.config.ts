// How the front end is built: one entry per page that needs script, with a manifest that Django's templates read
// (django-vite). Everything is served from /static/; nothing comes from another host.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const ENTRIES = ["src/main.tsx", "src/instructor.ts"].filter((path) =>
  existsSync(fileURLToPath(new URL(path, import.meta.url))),
);

export default defineConfig({
  base: "/static/",
  plugins: [react()],
  build: {
    outDir: "dist",
    manifest: true,
    target: "es2022",
    assetsInlineLimit: 0, // the CSP allows no data: scripts or fonts
    modulePreload: { polyfill: false }, // it would be an inline script
    rollupOptions: { input: ENTRIES },
    chunkSizeWarningLimit: 900,
  },
});
