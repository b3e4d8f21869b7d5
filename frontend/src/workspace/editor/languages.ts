// Which language a file is in, by its name: C at once, what labs carry beside it when it is opened. A file of no language
// that is known here is shown as it is.

import { cpp } from "@codemirror/lang-cpp";
import { indentUnit, StreamLanguage, type StreamParser, type StringStream } from "@codemirror/language";
import { EditorState, type Extension } from "@codemirror/state";

type Name = "c" | "shell" | "python" | "yaml" | "make" | "text";

const BY_ENDING: Record<string, Name> = {
  c: "c",
  h: "c",
  sh: "shell",
  bash: "shell",
  py: "python",
  yaml: "yaml",
  yml: "yaml",
  mk: "make",
};
const INDENT: Record<Name, string> = { c: "\t", make: "\t", shell: "\t", text: "\t", python: "    ", yaml: "  " };

export function languageName(path: string): Name {
  const file = path.split("/").at(-1) ?? "";
  if (/^(?:GNU)?makefile$/i.test(file)) return "make";
  return BY_ENDING[/\.(\w+)$/.exec(file)?.[1]?.toLowerCase() ?? ""] ?? "text";
}

/** What every file of that name gets at once; the rest comes with `moreLanguage`. */
export function languageOf(path: string): Extension {
  const name = languageName(path);
  const known = name === "c" ? cpp() : name === "make" ? StreamLanguage.define(MAKE) : [];
  return [known, indentUnit.of(INDENT[name]), EditorState.tabSize.of(name === "python" || name === "yaml" ? 4 : 8)];
}

/** Null when `languageOf` has given all there is. */
export async function moreLanguage(path: string): Promise<Extension | null> {
  const parser = await parserOf(languageName(path));
  return parser ? [StreamLanguage.define(parser), languageOf(path)] : null;
}

async function parserOf(name: Name): Promise<StreamParser<unknown> | null> {
  if (name === "shell") return (await import("@codemirror/legacy-modes/mode/shell")).shell as StreamParser<unknown>;
  if (name === "python") return (await import("@codemirror/legacy-modes/mode/python")).python as StreamParser<unknown>;
  if (name === "yaml") return (await import("@codemirror/legacy-modes/mode/yaml")).yaml as StreamParser<unknown>;
  return null;
}

const DIRECTIVES = /^(?:-?include|ifeq|ifneq|ifdef|ifndef|else|endif|define|endef|export|override)\b/;

const MAKE: StreamParser<unknown> = {
  name: "make",
  token(stream: StringStream): string | null {
    if (stream.match(/^#.*/)) return "comment";
    if (stream.match(/^\$(?:\([^)]*\)|\{[^}]*\}|.)/)) return "variableName.special";
    if (stream.sol()) {
      if (stream.match(/^[.\w-]+(?=\s*[:+?]?=)/)) return "variableName.definition";
      if (stream.match(DIRECTIVES)) return "keyword";
      if (stream.match(/^[^\s:=#$]+(?=[^=]*:(?!=))/)) return "typeName";
    }
    stream.next();
    stream.eatWhile(/[^#$]/);
    return null;
  },
};
