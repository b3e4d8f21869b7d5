// Tells a terminal's own answers (cursor position, attributes, colours, modes) from what a person typed. When old output
// is drawn again, the questions in it are asked again; their answers must not reach the shell a second time.

const ESC = "\u001b";
const BEL = "\u0007";

const CSI_REPORT = `${ESC}\\[[?>]?[\\d;]*[cRn]`;
const MODE_REPORT = `${ESC}\\[\\??[\\d;]*\\$y`;
const OSC_REPORT = `${ESC}\\]\\d[^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)`;
const DCS_REPORT = `${ESC}P[^${ESC}]*${ESC}\\\\`;
const FOCUS_REPORT = `${ESC}\\[[IO]`;

const ANSWERS = new RegExp(`^(?:${[CSI_REPORT, MODE_REPORT, OSC_REPORT, DCS_REPORT, FOCUS_REPORT].join("|")})+$`);

export function isTerminalAnswer(text: string): boolean {
  return ANSWERS.test(text);
}
