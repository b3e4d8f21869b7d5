// The arithmetic of one terminal's output: which bytes are new, how far they are drawn, when to say so.
// Offsets count from the terminal's first byte. Pure: no sockets, no timers, no xterm.

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

/** Input in pieces that the server takes. */
export function inputPieces(bytes: Uint8Array<ArrayBuffer>, pieceBytes = INPUT_PIECE_BYTES): Uint8Array<ArrayBuffer>[] {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return pieces;
}
