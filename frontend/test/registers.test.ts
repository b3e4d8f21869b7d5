import { describe, expect, it } from "vitest";
import { wordsFor } from "../src/workspace/editor/register_words";
import { registersByLine } from "../src/workspace/editor/registers";

/** As kernel 6.18 wrote it of a program without its second bounds check, folded by the host. */
const REFUSED = [
  { line: 11, text: "0: R1=ctx() R10=fp0\n0: (b7) r0 = 2                        ; R0=2" },
  { line: 13, text: "1: (61) r2 = *(u32 *)(r1 +4)          ; R1=ctx() R2=pkt_end()" },
  { line: 14, text: "2: (61) r1 = *(u32 *)(r1 +0)          ; R1=pkt(r=0)" },
  {
    line: 16,
    text: "3: (bf) r3 = r1                       ; R1=pkt(r=0) R3=pkt(r=0)\n4: (07) r3 += 14                      ; R3=pkt(off=14,r=0)",
  },
  { line: 18, text: "5: (2d) if r3 > r2 goto pc+9          ; R2=pkt_end() R3=pkt(off=14,r=14)" },
  {
    line: 20,
    text: [
      "6: (71) r2 = *(u8 *)(r1 +12)          ; R1=pkt(r=14) R2=scalar(smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff))",
      "8: (67) r3 <<= 8                      ; R3=scalar(smin=smin32=0,smax=umax=smax32=umax32=0xff00,var_off=(0x0; 0xff00))",
      "10: (55) if r3 != 0x8 goto pc+4       ; R3=8",
    ].join("\n"),
  },
  {
    line: 23,
    text: "11: (71) r1 = *(u8 *)(r1 +23)\ninvalid access to packet, off=23 size=1, R1(id=0,off=23,r=14)\nR1 offset is outside of the packet",
  },
  {
    line: 0,
    text: "processed 12 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0",
  },
];

describe("registers by line", () => {
  it("keeps what was known before, and tells what the line has changed", () => {
    const lines = registersByLine(REFUSED);
    expect(Object.fromEntries(lines.get(16)?.held ?? [])).toEqual({
      R0: "2",
      R1: "pkt(r=0)",
      R2: "pkt_end()",
      R3: "pkt(off=14,r=0)",
      R10: "fp0",
    });
    expect([...(lines.get(16)?.changed ?? [])]).toEqual(["R3"]);
    expect(lines.get(20)?.held.get("R3")).toBe("8");
    expect(lines.get(20)?.held.get("R2")).toBe("scalar(smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff))");
  });

  it("has the state before it on the line that was refused, and nothing without a line", () => {
    const lines = registersByLine(REFUSED);
    expect(lines.get(23)?.held.get("R1")).toBe("pkt(r=14)");
    expect(lines.get(23)?.changed.size).toBe(0);
    expect(lines.has(0)).toBe(false);
  });

  it("begins anew at another path, and counts the walks", () => {
    const lines = registersByLine([
      { line: 5, text: "0: R1=ctx() R10=fp0\n3: (b7) r3 = 1    ; R3_w=1" },
      { line: 9, text: "from 3 to 7: R0=0 R1=ctx() R6_rw=map_value(map=counts,ks=4,vs=8) R10=fp0 fp-8=mmmm????" },
      { line: 5, text: "7: (b7) r4 = 2    ; R4_w=2" },
    ]);
    expect(lines.get(9)?.held.has("R3")).toBe(false);
    expect(lines.get(9)?.held.get("R6")).toBe("map_value(map=counts,ks=4,vs=8)");
    expect(lines.get(9)?.held.get("fp-8")).toBe("mmmm????");
    expect(lines.get(5)?.walks).toBe(2);
    expect(lines.get(5)?.held.get("R4")).toBe("2");
  });

  it("follows into a function, whose frame has its own registers", () => {
    const lines = registersByLine([
      { line: 3, text: "4: (85) call pc+2\ncaller:\n R6=ctx() R10=fp0\ncallee:\n frame1: R1=pkt(r=0) R10=fp0" },
      { line: 12, text: "7: (b7) r0 = 1                        ; frame1: R0=1" },
    ]);
    expect(Object.fromEntries(lines.get(12)?.held ?? [])).toEqual({ R1: "pkt(r=0)", R10: "fp0", R0: "1" });
  });

  it("makes nothing of a log that says nothing of registers", () => {
    expect(registersByLine([{ line: 4, text: "R1 type=scalar expected=fp\n; x = 5 @ xdp.c:4" }]).size).toBe(0);
  });
});

describe("words for what a register holds", () => {
  it.each([
    ["R1", "ctx()", "the context: what the program was called with"],
    ["R10", "fp0", "top of the stack (frame pointer)"],
    ["R2", "fp-4", "stack, 4 bytes below its top"],
    ["R1", "pkt(r=0)", "packet; no byte is safe to read yet"],
    ["R1", "pkt(r=14)", "packet; bytes 0 to 13 are safe to read"],
    ["R3", "pkt(off=14,r=14)", "packet, byte 14; bytes 0 to 13 are safe to read"],
    ["R2", "pkt_end()", "end of the packet: compare with it before you read"],
    ["R3", "8", "the number 8"],
    ["R3", "P0", "the number 0"],
    ["R3", "0xff00", "the number 65280 (0xff00)"],
    ["R1", "scalar()", "a number, any"],
    ["R2", "scalar(smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff))", "a number from 0 to 255"],
    [
      "R1",
      "scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))",
      "a number from 0 to 4294967295 (0xffffffff)",
    ],
    ["R1", "scalar(smin=smin32=-4,smax=smax32=9)", "a number from -4 to 9"],
    ["R1", "map_ptr(map=counts,ks=4,vs=8)", "the map counts"],
    ["R1", "map_ptr(ks=4,vs=8)", "the map"],
    ["R0", "map_value(map=counts,ks=4,vs=8)", "a value in the map counts, 8 bytes"],
    ["R0", "map_value_or_null(id=1,ks=4,vs=8)", "a value in the map, 8 bytes, or NULL: compare it with NULL first"],
    ["R0", "ringbuf_mem_or_null(id=2,ref_obj_id=2,sz=16)", "memory, 16 bytes, or NULL: compare it with NULL first"],
    ["R1", "trusted_ptr_task_struct()", "trusted ptr task struct"],
    ["fp-8", "mmmm????", "4 bytes written, 4 bytes not written"],
    ["fp-16", "mmmmmmmm", "8 bytes written"],
    ["fp-8", "pkt(r=0)", "saved: packet; no byte is safe to read yet"],
    ["R1", "something=odd!", ""],
  ])("%s=%s", (register, value, words) => {
    expect(wordsFor(register, value)).toBe(words);
  });
});
