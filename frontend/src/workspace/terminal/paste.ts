// What is pasted into a terminal: cleaned of what text from a web page has no business to say to it, and whether a person
// should be asked first. Pure.

/** Control characters but tab and line ends: an escape sequence in copied text could end a bracketed paste, and run. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u0080-\u009f]/g;

export function cleanPaste(text: string): string {
  return text.replace(CONTROLS, "");
}

/** How many lines would be run one after the other; 0 when nothing would run, so that nobody need be asked. */
export function linesThatWouldRun(text: string, bracketed: boolean): number {
  return bracketed ? 0 : (text.match(/\r\n|\r|\n/g)?.length ?? 0);
}
