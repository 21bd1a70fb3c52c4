// A stream that shows by itself what of it was lost, doubled or reordered: blocks of 64 KiB that each begin
// with their number. Reading one costs a comparison of memory.
import type { Readable, Writable } from "node:stream";

export const blockBytes: number = 64 * 1024;
const numberBytes = 4;

const pattern = Buffer.alloc(blockBytes, "0123456789abcdef");

function blockOf(index: number): Buffer {
  const block = Buffer.from(pattern);
  block.writeUInt32BE(index);
  return block;
}

/** Sees whether what it is given is the stream, however it is cut. */
export class BlockReader {
  bytes = 0;
  /** What was first found wrong; empty while all is well. */
  fault = "";

  take(chunk: Buffer): void {
    for (let offset = 0; offset < chunk.length && this.fault === "";) {
      const place = this.bytes % blockBytes;
      const count = Math.min(chunk.length - offset, blockBytes - place);
      const isGood =
        place < numberBytes
          ? blockOf(Math.floor(this.bytes / blockBytes))
              .subarray(place, place + count)
              .equals(chunk.subarray(offset, offset + count))
          : pattern.compare(chunk, offset, offset + count, place, place + count) === 0;
      if (!isGood) this.fault = `not the stream from byte ${this.bytes} on`;
      this.bytes += count;
      offset += count;
    }
  }

  /**
   * Takes a stream to its end, and leaves the other direction of a socket alone (an iterator would not).
   * Rejects when it fails or closes before.
   */
  readAll(from: Readable): Promise<this> {
    return new Promise((resolve, reject) => {
      from.on("data", (chunk: Buffer) => this.take(chunk));
      from.once("end", () => resolve(this));
      from.once("error", reject);
      from.once("close", () => reject(new Error(`Closed after ${this.bytes} bytes`)));
      // It may have been paused by whoever read before.
      from.resume();
    });
  }
}

/**
 * Writes the first `bytes` (whole blocks) of the stream, no faster than they are taken, and does not end it.
 * `onSent` hears what the socket has accepted so far. Rejects when the stream fails or closes.
 */
export async function sendBlocks(
  to: Writable,
  bytes: number,
  onSent: (bytes: number) => void = () => {},
): Promise<void> {
  for (let sent = 0; sent < bytes; sent += blockBytes) {
    const ready = to.write(blockOf(sent / blockBytes));
    onSent(sent + blockBytes);
    if (!ready) await drained(to);
  }
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error): void => {
      stream.off("drain", finish).off("error", finish).off("close", onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onClose = (): void => finish(new Error("Closed before all was taken"));
    stream.on("drain", finish).on("error", finish).on("close", onClose);
  });
}
