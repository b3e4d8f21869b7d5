// The filter's small language: `tcp.port == 80 and not tcp.flags.ack`, a word without a meaning is looked for in the line.
// What is typed becomes a test of a packet, or one sentence on what is wrong with a hint. Pure.

import type { Dissection, Value } from "../../live/decode/dissection";
import { FIELD_BY_NAME, type FilterField, nearestField, SAME_AS } from "./fields";
import { type Network, networkOf, within } from "./network";

export type Test = (d: Dissection) => boolean;

export interface Wrong {
  message: string;
  hint: string;
}

type Token = { kind: "word" | "text" | "sign"; text: string };
type Sign = "==" | "!=" | ">=" | "<=" | ">" | "<" | "contains";

const TOKEN = /\s*(?:"([^"]*)"|(&&|\|\||==|!=|>=|<=|[()<>!=])|([^\s()<>!="&|]+|[&|]))/y;
const SIGNS: Readonly<Record<string, Sign>> = {
  "==": "==",
  "=": "==",
  eq: "==",
  "!=": "!=",
  ne: "!=",
  ">=": ">=",
  ge: ">=",
  "<=": "<=",
  le: "<=",
  ">": ">",
  gt: ">",
  "<": "<",
  lt: "<",
  contains: "contains",
};
const EVERYTHING: Test = () => true;
const SHOULD_FOLLOW = "Write a field, a protocol or a word there.";

class Mistake extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

export function parseFilter(text: string): { test: Test; wrong: null } | { test: null; wrong: Wrong } {
  try {
    const tokens = tokensOf(text);
    if (tokens.length === 0) return { test: EVERYTHING, wrong: null };
    const parser = new Parser(tokens);
    return { test: parser.all(), wrong: null };
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    return { test: null, wrong: { message: error.message, hint: error.hint } };
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const trimmed = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < trimmed.length) {
    const found = TOKEN.exec(trimmed);
    if (!found) throw new Mistake("A quote is not closed.", 'Write "like this".');
    const [, quoted, sign, word] = found;
    if (quoted !== undefined) tokens.push({ kind: "text", text: quoted });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: sign });
    else tokens.push({ kind: "word", text: word ?? "" });
  }
  return tokens;
}

class Parser {
  private at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  all(): Test {
    const test = this.either();
    const rest = this.tokens[this.at];
    if (rest) throw new Mistake(`"${rest.text}" is too much here.`, "Is a parenthesis missing before it?");
    return test;
  }

  private either(): Test {
    let left = this.both();
    while (this.takes("or", "||")) {
      const [a, b] = [left, this.both()];
      left = (d) => a(d) || b(d);
    }
    return left;
  }

  /** Two tests beside each other must both hold, as if "and" stood between. */
  private both(): Test {
    let left = this.one();
    while (this.takes("and", "&&") || this.goesOn()) {
      const [a, b] = [left, this.one()];
      left = (d) => a(d) && b(d);
    }
    return left;
  }

  private goesOn(): boolean {
    const next = this.tokens[this.at];
    return next !== undefined && next.text !== ")" && !isWord(next, "or", "||");
  }

  private one(): Test {
    if (this.takes("not", "!")) {
      const test = this.one();
      return (d) => !test(d);
    }
    const token = this.tokens[this.at++];
    if (!token) throw new Mistake("Something is missing at the end.", SHOULD_FOLLOW);
    if (token.kind === "sign" && token.text === "(") {
      const test = this.either();
      if (!this.takes(")")) throw new Mistake("A parenthesis is not closed.", "Write ) at its end.");
      return test;
    }
    if (token.kind === "sign" || isWord(token, "and", "or", "&&", "||")) {
      throw new Mistake(`Something is missing before "${token.text}".`, SHOULD_FOLLOW);
    }
    return token.kind === "text" ? freeText(token.text) : this.comparison(token.text);
  }

  private comparison(word: string): Test {
    const name = SAME_AS[word.toLowerCase()] ?? word.toLowerCase();
    const field = FIELD_BY_NAME.get(name);
    const next = this.tokens[this.at];
    const sign = next && next.kind !== "text" ? SIGNS[next.text.toLowerCase()] : undefined;
    if (!sign) {
      if (field && next && asInTcpdump(word, next)) {
        this.at += 1;
        return compare(field, "==", next.text);
      }
      if (field)
        return field.kind === "flag" ? (d) => Boolean(d.values.get(name)?.some(Boolean)) : (d) => d.values.has(name);
      if (looksLikeAField(name)) throw unknownField(name);
      return freeText(word);
    }
    if (!field) throw unknownField(name);
    this.at += 1;
    const value = this.tokens[this.at++];
    if (!value || value.kind === "sign") {
      throw new Mistake(`What ${name} is compared with is missing.`, `For example: ${exampleOf(field)}.`);
    }
    return compare(field, sign, value.text);
  }

  private takes(...words: string[]): boolean {
    const next = this.tokens[this.at];
    if (!next || !isWord(next, ...words)) return false;
    this.at += 1;
    return true;
  }
}

function isWord(token: Token, ...words: string[]): boolean {
  return token.kind !== "text" && words.includes(token.text.toLowerCase());
}

/** `host 10.0.0.1`, `port 80`: fingers know it. */
function asInTcpdump(word: string, next: Token): boolean {
  return /^(host|port|src|dst)$/i.test(word) && next.kind === "word" && /^[0-9a-f.:/]+$/i.test(next.text);
}

function looksLikeAField(name: string): boolean {
  const head = name.split(".")[0] ?? "";
  return (
    /^[a-z][a-z0-9_.]+$/.test(name) &&
    name.includes(".") &&
    (FIELD_BY_NAME.has(head) || head === "frame" || head === "ipv6")
  );
}

function unknownField(name: string): Mistake {
  const near = nearestField(name);
  return new Mistake(
    `There is no field ${name}.`,
    near ? `Did you mean ${near}?` : "Suggestions appear while you type.",
  );
}

function exampleOf(field: FilterField): string {
  const values = {
    flag: "1",
    number: "80",
    address: field.name.startsWith("eth") ? "02:00:00:00:00:01" : "10.0.0.1",
    text: "netlab",
  };
  return `${field.name} ${field.kind === "text" ? "contains" : "=="} ${values[field.kind]}`;
}

function compare(field: FilterField, sign: Sign, text: string): Test {
  const holds = testOf(field, sign, text);
  // as a person means it: no address of the packet is this one
  if (sign === "!=") return (d) => d.values.has(field.name) && !d.values.get(field.name)?.some(holds);
  return (d) => Boolean(d.values.get(field.name)?.some(holds));
}

/** For "!=" the test of "==". */
function testOf(field: FilterField, sign: Sign, text: string): (value: Value) => boolean {
  if (sign === "contains") {
    const wanted = text.toLowerCase();
    return (value) => String(value).toLowerCase().includes(wanted);
  }
  if (field.kind === "number" || field.kind === "flag") {
    const wanted = numberOf(text);
    if (wanted === null)
      throw new Mistake(`${field.name} is a number, "${text}" is none.`, `For example: ${exampleOf(field)}.`);
    return (value) => ordered(Number(value), sign, wanted);
  }
  if (sign !== "==" && sign !== "!=") {
    throw new Mistake(`${field.name} is not larger or smaller than anything.`, "Compare it with ==, != or contains.");
  }
  if (field.kind === "address") return addressTest(field, text);
  const wanted = text.toLowerCase();
  return (value) => String(value).toLowerCase() === wanted;
}

function addressTest(field: FilterField, text: string): (value: Value) => boolean {
  const wanted = text.toLowerCase();
  if (field.name.startsWith("eth")) return (value) => value === wanted.replaceAll("-", ":");
  const network: Network | null = networkOf(wanted);
  if (!network) throw new Mistake(`"${text}" is no address.`, "For example: 10.0.0.1, 10.0.0.0/24 or fd00::1.");
  return (value) => within(String(value), network);
}

function ordered(value: number, sign: Sign, wanted: number): boolean {
  switch (sign) {
    case ">":
      return value > wanted;
    case "<":
      return value < wanted;
    case ">=":
      return value >= wanted;
    case "<=":
      return value <= wanted;
    default:
      return value === wanted;
  }
}

function numberOf(text: string): number | null {
  if (/^true$/i.test(text)) return 1;
  if (/^false$/i.test(text)) return 0;
  return /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : null;
}

function freeText(text: string): Test {
  const wanted = text.toLowerCase();
  return (d) => `${d.source} ${d.destination} ${d.protocol} ${d.info}`.toLowerCase().includes(wanted);
}
