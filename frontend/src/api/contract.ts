// Proves at compile time that what the server's OpenAPI document promises is what types.ts says: if a field is renamed
// or its type changes there, `npm run check` fails here. Generates no code.

import type { components } from "./schema";
import type { Accepted, ErrorBody, FileContent, FileInfo, LabPage, Originals, Run, Terminal } from "./types";

type Schemas = components["schemas"];
/** Every key must be there: pydantic's defaults are always sent, although the document calls them optional. */
type Sent<T> = T extends (infer Item)[] ? Sent<Item>[] : T extends object ? { [Key in keyof T]-?: Sent<T[Key]> } : T;
type Fits<Server extends Wanted, Wanted> = [Server, Wanted];

export type Contract = [
  Fits<Sent<Schemas["LabPage"]>, LabPage>,
  Fits<Sent<Schemas["RunShape"]>, Run>,
  Fits<Sent<Schemas["Accepted"]>, Accepted>,
  Fits<Sent<Schemas["FileContent"]>, FileContent>,
  Fits<Sent<Schemas["Originals"]>, Originals>,
  Fits<Sent<Schemas["FileShape"]>, FileInfo>,
  Fits<Sent<Schemas["TerminalShape"]>, Terminal>,
  Fits<Sent<Schemas["ErrorBody"]>, ErrorBody>,
];
