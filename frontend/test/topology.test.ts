// Where nodes stand: a row that is too tight for what is between its nodes hangs.

import { expect, test } from "vitest";
import { cablesOf, lanesOf } from "../src/workspace/topology/cables";
import { laneShift, nodeWidth, type Point, roomLeft, tagSide, turnedToFit } from "../src/workspace/topology/layout";
import { largestThatFits, sizesFor } from "../src/workspace/topology/sizes";

const LAPTOP = sizesFor(14);

const CHAIN = new Map<string, Point>([
  ["laptop", { x: 0, y: 0.5 }],
  ["cafe", { x: 0.5, y: 0.5 }],
  ["server", { x: 1, y: 0.5 }],
]);

test("a chain lies where there is room and hangs in a narrow pane", () => {
  expect(turnedToFit(CHAIN, { width: 900, height: 240 }, LAPTOP)).toBe(CHAIN);
  const hanging = turnedToFit(CHAIN, { width: 356, height: 260 }, LAPTOP);
  expect([...hanging.values()]).toEqual([
    { x: 0.5, y: 0 },
    { x: 0.5, y: 0.5 },
    { x: 0.5, y: 1 },
  ]);
});

test("a pane that is low as well as narrow is left as the author drew it", () => {
  expect(turnedToFit(CHAIN, { width: 356, height: 120 }, LAPTOP)).toBe(CHAIN);
});

test("tags hang below a node, or beside it where a cable leaves downwards or the pane ends", () => {
  const pane = { width: 356, height: 300 };
  const tag = { width: 96, height: 23 };
  const side = (at: Point, ...others: Point[]) => tagSide(at, others, 112, tag, pane, LAPTOP);
  expect(side({ x: 178, y: 100 }, { x: 300, y: 100 })).toBe("below");
  expect(side({ x: 178, y: 100 }, { x: 178, y: 200 })).toBe("right");
  expect(side({ x: 178, y: 270 }, { x: 178, y: 100 })).toBe("right");
  expect(side({ x: 250, y: 100 }, { x: 250, y: 200 })).toBe("left");
  expect(side({ x: 178, y: 100 }, { x: 178, y: 200 }, { x: 300, y: 100 })).toBe("left");
  expect(tagSide({ x: 60, y: 100 }, [{ x: 60, y: 200 }], 112, tag, { width: 120, height: 300 }, LAPTOP)).toBe("below");
});

test("two nodes lie beside each other", () => {
  const pair = new Map<string, Point>([
    ["client", { x: 0, y: 0.5 }],
    ["server", { x: 1, y: 0.5 }],
  ]);
  expect(turnedToFit(pair, { width: 356, height: 230 }, LAPTOP)).toBe(pair);
});

test("larger type has larger nodes, and a chain that lay beside small ones hangs", () => {
  expect(LAPTOP).toMatchObject({ nodeWidth: 112, nodeHeight: 46, margin: 10 });
  const beamer = sizesFor(28);
  expect(beamer).toMatchObject({ nodeWidth: 224, nodeHeight: 92, portWidth: 144, labelGap: 40 });
  expect(turnedToFit(CHAIN, { width: 600, height: 500 }, LAPTOP)).toBe(CHAIN);
  expect(turnedToFit(CHAIN, { width: 600, height: 500 }, beamer)).not.toBe(CHAIN);
});

test("nodes of a full row are narrower, but never too narrow for a name in that type", () => {
  const row = Array.from({ length: 4 }, (_, index) => ({ x: index / 3, y: 0.5 }));
  expect(nodeWidth(row, 1000, LAPTOP)).toBe(112);
  expect(nodeWidth(row, 400, LAPTOP)).toBe(92);
  expect(nodeWidth(row, 100, sizesFor(28))).toBe(112);
});

test("two nodes of large type give way to the labels between them rather than hang", () => {
  const projector = sizesFor(18);
  const pair = new Map<string, Point>([
    ["client", { x: 0, y: 0.5 }],
    ["server", { x: 1, y: 0.5 }],
  ]);
  expect(turnedToFit(pair, { width: 329, height: 170 }, projector)).toBe(pair);
  const width = nodeWidth([...pair.values()], 329, projector);
  expect(width).toBeGreaterThanOrEqual(projector.nodeWidthShort);
  expect(329 - 2 * width).toBeGreaterThanOrEqual(projector.roomBeside);
});

test("type that is not known yet is taken for the usual", () => {
  expect(sizesFor(Number.NaN)).toEqual(LAPTOP);
});

test("two links between the same nodes run beside each other, others do not move", () => {
  const links = [
    { kind: "wire", ends: ["laptop:eth0", "cafe:eth0"] },
    { kind: "wire", ends: ["cafe:eth1", "laptop:eth1"] },
    { kind: "wire", ends: ["cafe:eth2", "server:eth0"] },
  ];
  const lanes = lanesOf(cablesOf(links, []));
  expect([...lanes]).toEqual([
    ["laptop:eth0", -0.5],
    ["cafe:eth0", -0.5],
    ["cafe:eth1", 0.5],
    ["laptop:eth1", 0.5],
  ]);
  const [above, below] = [
    { x: 100, y: 20 },
    { x: 100, y: 200 },
  ];
  expect(laneShift(above, below, 0.5, LAPTOP)).toEqual({ x: LAPTOP.laneBeside / 2, y: 0 });
  expect(laneShift(below, above, 0.5, LAPTOP)).toEqual({ x: LAPTOP.laneBeside / 2, y: 0 });
  expect(laneShift(above, { x: 500, y: 20 }, -0.5, LAPTOP)).toEqual({ x: 0, y: -LAPTOP.laneBelow / 2 });
});

test("a drawing that does not fit has smaller type, and no smaller than it must", () => {
  const room = { width: 329, height: 191 };
  const fits = (sizes: ReturnType<typeof sizesFor>) =>
    roomLeft([...turnedToFit(CHAIN, room, sizes).values()], room, sizes) >= 0.8;
  expect(fits(sizesFor(18))).toBe(false);
  const found = largestThatFits(18, fits);
  expect(found.type).toBeLessThan(18);
  expect(fits(found)).toBe(true);
  expect(largestThatFits(18, () => true).type).toBe(18);
  expect(largestThatFits(18, () => false).type).toBe(13);
});
