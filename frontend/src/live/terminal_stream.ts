// The arithmetic of one terminal's two directions: of output, which bytes are new, how far they are drawn, when to say so;
// of input, what the server is not known to have. Offsets count from the first byte, of the terminal and of what this page
// typed. Pure: no sockets, no timers, no xterm.

export const ACK_EVERY_BYTES = 64 * 1024;
export const INPUT_PIECE_BYTES = 64 * 1024;

export class OutputStream {
  /** Everything before it was handed to the terminal; a new connection asks for what follows. */
  received = 0;
  private incoming = 0; // offset of the next byte that the server sends
  private drawn = 0;
  private acked = 0;

  /** The server says where its bytes begin. True when bytes in between are lost for good. */
  start(offset: number): boolean {
    this.incoming = offset;
    if (offset <= this.received) return false;
    this.jump(offset);
    return true;
  }

  /** This viewer was too slow: the server goes on at `offset`. */
  skip(offset: number): void {
    this.incoming = offset;
    this.jump(offset);
  }

  /** The part of `bytes` that has not been seen; empty when all of it has. */
  take(bytes: Uint8Array): Uint8Array {
    const begin = this.incoming;
    this.incoming += bytes.length;
    if (this.incoming <= this.received) return bytes.subarray(bytes.length);
    const fresh = bytes.subarray(Math.max(0, this.received - begin));
    this.received = this.incoming;
    return fresh;
  }

  /** All bytes before `offset` are on the screen; true when it is time to acknowledge. */
  drew(offset: number): boolean {
    this.drawn = Math.max(this.drawn, offset);
    return this.drawn - this.acked >= ACK_EVERY_BYTES;
  }

  /** The offset to acknowledge now, null when there is nothing new to say. */
  ack(): number | null {
    if (this.drawn <= this.acked) return null;
    this.acked = this.drawn;
    return this.acked;
  }

  private jump(offset: number): void {
    this.received = offset;
    this.drawn = offset;
    this.acked = offset;
  }
}

/** What was typed, kept until the server says that it went on to the shell. */
export class InputStream {
  private begin = 0; // offset of the first byte that is kept
  private pieces: Uint8Array<ArrayBuffer>[] = [];
  keptBytes = 0;

  /** Everything before it went on. */
  get typed(): number {
    return this.begin;
  }

  keep(piece: Uint8Array<ArrayBuffer>): void {
    this.pieces.push(piece);
    this.keptBytes += piece.length;
  }

  /** The server has passed on everything before `offset`. */
  passed(offset: number): void {
    while (this.begin < offset) {
      const first = this.pieces.shift();
      if (!first) return;
      const gone = Math.min(offset - this.begin, first.length);
      if (gone < first.length) this.pieces.unshift(first.subarray(gone));
      this.begin += gone;
      this.keptBytes -= gone;
    }
  }

  /** What a new connection has to send first, single keys together. */
  get kept(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.keptBytes);
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

/** Input in pieces that the server takes. */
export function inputPieces(bytes: Uint8Array<ArrayBuffer>, pieceBytes = INPUT_PIECE_BYTES): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return pieces;
}
