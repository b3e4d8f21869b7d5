// The REST client: one function per operation of /api/v1. Every refusal becomes an ApiError with the server's sentence;
// a dead connection becomes one too, so that callers have a single thing to show. It never retries by itself.

import type {
  Accepted,
  ErrorBody,
  FileContent,
  FileInfo,
  Impairment,
  LabPage,
  Originals,
  Run,
  Terminal,
  TraceWish,
  XdpMode,
} from "./types";

const PREFIX = "/api/v1";
const TIMEOUT_MS = 20_000;

export class ApiError extends Error {
  readonly status: number;
  readonly body: ErrorBody;

  constructor(status: number, body: ErrorBody) {
    super(body.message);
    this.status = status;
    this.body = body;
  }
}

/** Nothing came back: the network or the server is away. Worth trying again. */
export function isOffline(error: unknown): boolean {
  return error instanceof ApiError && error.status === 0;
}

/** The page names its CSRF cookie, since two netlabs on one machine share the browser's cookies. */
function csrfToken(): string {
  const named = document.querySelector<HTMLMetaElement>('meta[name="csrf-cookie"]')?.content;
  const pairs = document.cookie.split("; ").map((pair) => [pair.slice(0, pair.indexOf("=")), pair] as const);
  const found = pairs.find(([name]) => (named ? name === named : /csrf/.test(name)));
  return found ? decodeURIComponent(found[1].slice(found[0].length + 1)) : "";
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const body = (await response.json()) as Partial<ErrorBody>;
    if (typeof body.message === "string") {
      return new ApiError(response.status, {
        code: body.code ?? "",
        message: body.message,
        hint: body.hint ?? "",
        data: body.data ?? {},
      });
    }
  } catch {
    // not JSON: a proxy's page, for example
  }
  return new ApiError(response.status, {
    code: "",
    message: `The server answered with status ${response.status}.`,
    hint: "Reload the page; if it happens again, tell the instructor.",
    data: {},
  });
}

async function call<T>(method: string, path: string, body?: unknown, keepalive = false): Promise<T> {
  const response = await request(method, path, body, keepalive);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function request(method: string, path: string, body?: unknown, keepalive = false): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(PREFIX + path, {
      method,
      credentials: "same-origin",
      keepalive,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        Accept: "application/json",
        ...(method === "GET" ? {} : { "Content-Type": "application/json", "X-CSRFToken": csrfToken() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, {
      code: "offline",
      message: "The server cannot be reached.",
      hint: "Your connection may be down; try again in a moment.",
      data: {},
    });
  }
  if (!response.ok) throw await errorOf(response);
  return response;
}

const part = encodeURIComponent;
const filePath = (path: string) => path.split("/").map(part).join("/");

export const api = {
  getLabPage: (workshop: string, lab: string) => call<LabPage>("GET", `/workshops/${part(workshop)}/labs/${part(lab)}`),
  startRun: (workshop: string, lab: string) =>
    call<Run>("POST", `/workshops/${part(workshop)}/labs/${part(lab)}/run`, {}),
  getRun: (run: string) => call<Run>("GET", `/runs/${run}`),
  stopRun: (run: string) => call<Run>("POST", `/runs/${run}/stop`, {}),
  resetRun: (run: string, keepFiles: boolean) => call<Run>("POST", `/runs/${run}/reset`, { keep_files: keepFiles }),
  resetNode: (run: string, node: string) => call<Accepted>("POST", `/runs/${run}/nodes/${part(node)}/reset`, {}),
  pauseRun: (run: string) => call<Run>("POST", `/runs/${run}/pause`, {}),
  resumeRun: (run: string) => call<Run>("POST", `/runs/${run}/resume`, {}),
  impairLink: (run: string, impairment: Impairment) => call<Accepted>("POST", `/runs/${run}/impair`, impairment),
  extendRun: (run: string) => call<Run>("POST", `/runs/${run}/extend`, {}),
  openStep: (run: string, step: string) => call<Run>("POST", `/runs/${run}/step`, { step }),
  bringToStep: (run: string, step: string) => call<Run>("POST", `/runs/${run}/bring`, { step }),
  runCheck: (run: string, step: string) => call<Accepted>("POST", `/runs/${run}/check`, { step }),
  listFiles: (run: string) => call<FileInfo[]>("GET", `/runs/${run}/files`),
  readFile: (run: string, path: string) => call<FileContent>("GET", `/runs/${run}/files/${filePath(path)}`),
  writeFile: (run: string, path: string, content: string, baseVersion: number, keepalive = false) =>
    call<{ path: string; version: number }>(
      "PUT",
      `/runs/${run}/files/${filePath(path)}`,
      { content, base_version: baseVersion },
      keepalive,
    ),
  getOriginals: (run: string, step: string) => call<Originals>("GET", `/runs/${run}/originals/${part(step)}`),
  formatFile: (run: string, path: string, content: string) =>
    call<{ content: string }>("POST", `/runs/${run}/format`, { path, content }),
  openTerminal: (run: string, node: string) => call<Terminal>("POST", `/runs/${run}/terminals`, { node }),
  closeTerminal: (run: string, terminal: string) => call<Accepted>("DELETE", `/runs/${run}/terminals/${terminal}`),
  buildProgram: (run: string, program: string, mode: XdpMode | null) =>
    call<Accepted>("POST", `/runs/${run}/programs/${part(program)}/build`, { mode, load: true }),
  detachProgram: (run: string, node: string, iface: string, hook: string) =>
    call<Accepted>("POST", `/runs/${run}/programs/detach`, { node, interface: iface, hook }),
  startCapture: (run: string, node: string, iface: string, snapBytes: number) =>
    call<Accepted>("POST", `/runs/${run}/captures`, { node, interface: iface, snap_bytes: snapBytes }),
  stopCapture: (run: string, capture: string) => call<Accepted>("DELETE", `/runs/${run}/captures/${part(capture)}`),
  startTrace: (run: string, wish: TraceWish) => call<Accepted>("POST", `/runs/${run}/traces`, wish),
  findFunctions: (run: string, search: string) => call<Accepted>("POST", `/runs/${run}/functions`, { search }),
  stopTrace: (run: string, trace: string) => call<Accepted>("DELETE", `/runs/${run}/traces/${part(trace)}`),
  readCapture: async (run: string, capture: string) =>
    (await request("GET", `/runs/${run}/captures/${part(capture)}/packets.pcapng`)).arrayBuffer(),
  captureUrl: (run: string, capture: string) => `${PREFIX}/runs/${run}/captures/${part(capture)}/packets.pcapng`,
  homeUrl: (run: string, node: string) => `${PREFIX}/runs/${run}/nodes/${part(node)}/home.tar.gz`,
};
