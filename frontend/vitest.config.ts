// Unit tests of the front end. The budget test builds the page itself, so it measures what would be shipped.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { environment: "node", include: ["test/**/*.test.ts"], testTimeout: 20_000 },
});
