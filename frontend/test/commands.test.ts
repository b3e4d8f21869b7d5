// What panes offer and the palette runs.

import { expect, test, vi } from "vitest";
import { Commands } from "../src/workspace/commands";

test("what is offered is asked anew, and taken back with its pane", () => {
  const commands = new Commands();
  let title = "Follow";
  const back = commands.offer("layout", () => [{ id: "layout.follow", title, group: "View", run: () => undefined }]);
  expect(commands.list().map((c) => c.title)).toEqual(["Follow"]);
  title = "Follow the steps";
  expect(commands.list().map((c) => c.title)).toEqual(["Follow the steps"]);
  back();
  expect(commands.list()).toEqual([]);
});

test("a pane that came back keeps its offer when the old one leaves late", () => {
  const commands = new Commands();
  const old = commands.offer("editor", () => []);
  commands.offer("editor", () => [{ id: "editor.build", title: "Build", group: "Editor", run: () => undefined }]);
  old();
  expect(commands.list()).toHaveLength(1);
});

test("what cannot be done now is not done", () => {
  const commands = new Commands();
  const run = vi.fn();
  commands.offer("lab", () => [{ id: "lab.stop", title: "Stop", group: "Lab", off: "it has ended", run }]);
  expect(commands.run("lab.stop")).toBe(false);
  expect(commands.run("lab.nothing")).toBe(false);
  expect(run).not.toHaveBeenCalled();
});
