// Keeps one file on the server in step with what is typed: waits for a pause, writes with the version it is based on,
// tries again while the network is away, and stops at a conflict until a person has chosen. A draft in the browser's
// storage outlives a reload. No text is ever thrown away here. No DOM, no React; the clock and the server are given.

import { ApiError } from "../../api/client";
import type { FileContent } from "../../api/types";
import { backoffMs } from "../../live/backoff";

const PAUSE_MS = 500;

export type SaveState = "saved" | "dirty" | "saving" | "offline" | "refused" | "conflict";

export interface SaverDoors {
  put(path: string, content: string, baseVersion: number, keepalive: boolean): Promise<{ version: number }>;
  read(path: string): Promise<FileContent>;
  /** The server's text replaces what is shown; only called when nothing unsaved is there or a person chose it. */
  onReplace(text: string): void;
  onState(): void;
  setTimeout(run: () => void, ms: number): number;
  clearTimeout(timer: number): void;
  drafts: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  draftKey: string;
}

export class FileSaver {
  state: SaveState = "saved";
  /** The server's newer version, while a person has to choose. */
  conflict: FileContent | null = null;
  refusal = "";
  readonly path: string;
  version: number;
  text: string;
  private savedText: string;
  private timer = 0;
  private attempt = 0;
  private inFlight: Promise<void> | null = null;
  private remoteVersion = 0;
  private readonly doors: SaverDoors;

  constructor(file: FileContent, doors: SaverDoors) {
    this.path = file.path;
    this.version = file.version;
    this.text = file.content;
    this.savedText = file.content;
    this.doors = doors;
  }

  /** Text that an earlier page could not save any more. It is taken up as if it had just been typed. */
  restoreDraft(): void {
    const kept = this.doors.drafts.getItem(this.doors.draftKey);
    if (!kept) return;
    const draft = JSON.parse(kept) as { base: number; text: string };
    if (draft.text === this.text) {
      this.doors.drafts.removeItem(this.doors.draftKey);
      return;
    }
    this.version = draft.base;
    this.doors.onReplace(draft.text);
    this.edited(draft.text);
  }

  edited(text: string): void {
    this.text = text;
    if (text === this.savedText && !this.inFlight && this.state !== "conflict") {
      this.clean();
      return;
    }
    this.doors.drafts.setItem(this.doors.draftKey, JSON.stringify({ base: this.version, text }));
    if (this.state === "conflict") return;
    if (!this.inFlight) this.become("dirty");
    this.schedule(PAUSE_MS);
  }

  /** Save now what is unsaved. Resolves when it is saved or cannot be; true when the server has this text. */
  async flush(keepalive = false): Promise<boolean> {
    this.doors.clearTimeout(this.timer);
    if (this.inFlight) await this.inFlight;
    if (this.state === "dirty" || this.state === "offline" || this.state === "refused") {
      this.inFlight = this.save(keepalive).finally(() => {
        this.inFlight = null;
      });
      await this.inFlight;
      await this.afterSave();
    }
    return this.state === "saved";
  }

  /** The server has told that there is a version, made by whomever. */
  async remote(version: number): Promise<void> {
    if (version <= this.version) return;
    this.remoteVersion = Math.max(this.remoteVersion, version);
    if (this.inFlight || this.state === "conflict") return; // looked at when the save has ended
    if (this.state === "saved") await this.reload();
    else await this.flush(); // unsaved text: the server's refusal brings both versions
  }

  resolve(choice: "mine" | "theirs"): void {
    const theirs = this.conflict;
    if (!theirs) return;
    this.conflict = null;
    this.version = theirs.version;
    this.savedText = theirs.content;
    if (choice === "theirs") {
      this.text = theirs.content;
      this.doors.onReplace(theirs.content);
      this.clean();
      return;
    }
    this.become("dirty");
    void this.flush();
  }

  dispose(): void {
    this.doors.clearTimeout(this.timer);
  }

  private async reload(): Promise<void> {
    const file = await this.doors.read(this.path);
    if (file.version <= this.version || this.state !== "saved") return;
    this.version = file.version;
    this.text = file.content;
    this.savedText = file.content;
    this.doors.onReplace(file.content);
    this.doors.onState();
  }

  private async save(keepalive: boolean): Promise<void> {
    const sent = this.text;
    this.become("saving");
    try {
      const answer = await this.doors.put(this.path, sent, this.version, keepalive);
      this.version = answer.version;
      this.savedText = sent;
      this.attempt = 0;
      this.state = this.text === sent ? "saved" : "dirty";
      if (this.state === "saved") this.clean();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failed(error, sent);
    }
  }

  private failed(error: ApiError, sent: string): void {
    if (error.body.code === "file_conflict") {
      const theirs = error.body.data as unknown as FileContent;
      if (theirs.content === sent && this.text === sent) {
        this.version = theirs.version;
        this.savedText = sent;
        this.clean();
        return;
      }
      this.conflict = theirs;
      this.become("conflict");
    } else if (error.status === 0 || error.status >= 500) {
      this.become("offline");
      this.schedule(backoffMs(this.attempt));
      this.attempt += 1;
    } else {
      this.refusal = error.body.message;
      this.become("refused"); // the next change tries again
    }
  }

  private async afterSave(): Promise<void> {
    if (this.state === "dirty") this.schedule(PAUSE_MS);
    if (this.state === "saved" && this.remoteVersion > this.version) await this.reload();
  }

  private clean(): void {
    this.doors.clearTimeout(this.timer);
    this.doors.drafts.removeItem(this.doors.draftKey);
    this.become("saved");
  }

  private schedule(ms: number): void {
    this.doors.clearTimeout(this.timer);
    this.timer = this.doors.setTimeout(() => void this.flush(), ms);
  }

  private become(state: SaveState): void {
    this.state = state;
    this.doors.onState();
  }
}
