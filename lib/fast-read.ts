// Reads of a live socket go into one buffer for the whole process, and what came is copied out of it.
// Node takes 64 KiB for every read otherwise and gives most of it back: at 3,000 requests per second that
// is enough memory outside the heap to start a full collection twice a second, and the pauses are what
// the slowest of a hundred requests waits for.
//
// Node has this for sockets that it dials (`onread`), not for those that it accepts or that a TLS handle
// stands behind; the same three fields of the socket are set here. On a Node that has no such fields
// nothing changes: bytes come as they always did.
import type { Socket } from "node:net";

const READ_BYTES_MAX = 64 * 1024;
const shared = Buffer.allocUnsafeSlow(READ_BYTES_MAX);

interface Fields {
  readonly buffer: symbol;
  readonly callback: symbol;
}

/** Of every socket of this process, found at the first one. */
let fields: Fields | null | undefined;

/** Hears of bytes that are somebody else's when it returns. */
export type BorrowedListener = (bytes: Buffer) => void;

/**
 * Emits "data" for `socket` that way, from the end of its next "data" on. Pausing, resuming and putting
 * bytes back go on as before. `borrowed`: is called in place of "data", with the process's own buffer.
 */
export function readFast(socket: Socket, borrowed: BorrowedListener | null = null): void {
  const start = (): void => {
    // Bytes that wait in the stream go first; whoever paused it decides when.
    if (socket.readableLength > 0 || socket.readableFlowing !== true) return;
    socket.off("data", start);
    take(socket, borrowed);
  };
  socket.on("data", start);
}

/** Whether `socket` reads that way by now. */
export function readsFast(socket: Socket): boolean {
  return fields !== undefined && fields !== null && slots(socket)[fields.buffer] === shared;
}

function take(socket: Socket, borrowed: BorrowedListener | null): void {
  if (fields === undefined) fields = findFields(socket);
  const handle = handleOf(socket);
  if (fields === null || handle?.useUserBuffer === undefined) return;
  const own = slots(socket);
  own[fields.buffer] = shared;
  own[fields.callback] = (count: number): boolean => {
    if (borrowed !== null && socket.readableFlowing === true && socket.readableLength === 0) {
      borrowed(count === READ_BYTES_MAX ? shared : shared.subarray(0, count));
      return true;
    }
    const bytes = Buffer.allocUnsafe(count);
    shared.copy(bytes, 0, 0, count);
    if (socket.readableFlowing !== true || socket.readableLength > 0) return socket.push(bytes);
    // Nobody may be listening just now: then the stream keeps it.
    return socket.emit("data", bytes) || socket.push(bytes);
  };
  handle.useUserBuffer(shared);
}

interface Handle {
  readonly useUserBuffer?: (buffer: Buffer) => void;
}

function handleOf(socket: Socket): Handle | null {
  return (socket as unknown as { readonly _handle: Handle | null })._handle;
}

function slots(socket: Socket): Record<symbol, unknown> {
  return socket as unknown as Record<symbol, unknown>;
}

function findFields(socket: Socket): Fields | null {
  const found = new Map(
    Object.getOwnPropertySymbols(socket).map((each) => [each.description, each] as const),
  );
  const buffer = found.get("kBuffer");
  const callback = found.get("kBufferCb");
  return buffer === undefined || callback === undefined ? null : { buffer, callback };
}
