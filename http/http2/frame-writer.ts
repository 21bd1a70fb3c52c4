// Writes frames (RFC 9113 section 6) to the output of a connection.
import { FRAME_FLAG, FRAME_HEAD_BYTES, PING_BYTES, TYPE } from "./frame.ts";
import type { Output } from "./output.ts";

/** One parameter of SETTINGS: identifier (16 bits) and value (32 bits). */
export type Setting = readonly [identifier: number, value: number];

const SETTING_BYTES = 6;

/** Writes a frame's head and makes room for `room` bytes of its payload; returns where these go. */
function writeHead(
  output: Output,
  length: number,
  type: number,
  flags: number,
  streamId: number,
  room: number,
): number {
  const at = output.reserve(FRAME_HEAD_BYTES + room);
  const { chunk } = output;
  chunk[at] = length >>> 16;
  chunk[at + 1] = length >>> 8;
  chunk[at + 2] = length;
  chunk[at + 3] = type;
  chunk[at + 4] = flags;
  putUint32(chunk, at + 5, streamId);
  return at + FRAME_HEAD_BYTES;
}

/**
 * Writes the block bytes[0, length) as HEADERS and as many CONTINUATIONs as it needs. Header blocks must
 * be written in the order in which they were encoded.
 */
export function writeHeaders(
  output: Output,
  streamId: number,
  endStream: boolean,
  bytes: Buffer,
  length: number,
  frameBytesMax: number,
): void {
  const endFlag = endStream ? FRAME_FLAG.endStream : 0;
  if (length <= frameBytesMax) {
    writeHead(output, length, TYPE.headers, FRAME_FLAG.endHeaders | endFlag, streamId, 0);
    output.copy(bytes, 0, length);
    return;
  }
  for (let at = 0; at < length; at += frameBytesMax) {
    const end = Math.min(length, at + frameBytesMax);
    const type = at === 0 ? TYPE.headers : TYPE.continuation;
    const flags = (at === 0 ? endFlag : 0) | (end === length ? FRAME_FLAG.endHeaders : 0);
    writeHead(output, end - at, type, flags, streamId, 0);
    output.copy(bytes, at, end);
  }
}

/** Writes one DATA frame of bytes[start, end), which must not change before they were sent. */
export function writeData(
  output: Output,
  streamId: number,
  endStream: boolean,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const flags = endStream ? FRAME_FLAG.endStream : 0;
  writeHead(output, end - start, TYPE.data, flags, streamId, 0);
  output.append(bytes, start, end);
}

export function writeRstStream(output: Output, streamId: number, code: number): void {
  const at = writeHead(output, 4, TYPE.rstStream, 0, streamId, 4);
  putUint32(output.chunk, at, code);
}

export function writeWindowUpdate(output: Output, streamId: number, increment: number): void {
  const at = writeHead(output, 4, TYPE.windowUpdate, 0, streamId, 4);
  putUint32(output.chunk, at, increment);
}

export function writeSettings(output: Output, settings: readonly Setting[]): void {
  const length = settings.length * SETTING_BYTES;
  let at = writeHead(output, length, TYPE.settings, 0, 0, length);
  const { chunk } = output;
  for (const [identifier, value] of settings) {
    chunk[at] = identifier >>> 8;
    chunk[at + 1] = identifier;
    putUint32(chunk, at + 2, value);
    at += SETTING_BYTES;
  }
}

export function writeSettingsAck(output: Output): void {
  writeHead(output, 0, TYPE.settings, FRAME_FLAG.ack, 0, 0);
}

/** PING with the eight bytes at bytes[start]. */
export function writePing(output: Output, ack: boolean, bytes: Uint8Array, start: number): void {
  const flags = ack ? FRAME_FLAG.ack : 0;
  const at = writeHead(output, PING_BYTES, TYPE.ping, flags, 0, PING_BYTES);
  const { chunk } = output;
  for (let index = 0; index < PING_BYTES; index += 1) chunk[at + index] = bytes[start + index]!;
}

export function writeGoaway(output: Output, lastStreamId: number, code: number): void {
  const at = writeHead(output, 8, TYPE.goaway, 0, 0, 8);
  putUint32(output.chunk, at, lastStreamId);
  putUint32(output.chunk, at + 4, code);
}

function putUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
