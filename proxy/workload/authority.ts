// What gRPC for Java writes where a request's host belongs, made acceptable. On a Unix socket it sends the
// path of the socket as ":authority"; a host may hold no slash, and nghttp2, which reads HTTP/2 for Node,
// refuses the request before anybody could be asked. So each slash there becomes a dash, in place: lengths,
// and with them frames and compression, stay as they are. Whatever else is odd is nghttp2's to judge.
import type { Socket } from "node:net";
import { Transform, pipeline } from "node:stream";
import type { TransformCallback } from "node:stream";
import { socketPair } from "../net/libc.ts";

/** RFC 9113 section 3.4: "PRI * HTTP/2.0", empty lines, "SM", an empty line. */
const prefaceBytes = 24;
const frameHeadBytes = 9;
/** The largest that a peer may send unasked; more is refused by whoever reads it. */
const frameBytesMax = 16_384;
const frameHeaders = 1;
const flagPadded = 0x08;
const flagPriority = 0x20;
const priorityBytes = 5;
/** Of ":authority" in HPACK's static table (RFC 7541, appendix A). */
const authorityIndex = 1;
const slash = 0x2f;
const dash = 0x2d;

/**
 * A socket on which the same is said as on `socket`, but for the slashes; null when no descriptor is left for
 * it. A pair of the kernel's sockets and no stream of Node's own: below HTTP/2 such a one ends the whole
 * process by an assertion when its peer is killed (Node 26.10).
 */
export function mendAuthority(socket: Socket): Socket | null {
  const pair = socketPair();
  if (pair === null) return null;
  const [inner, outer] = pair;
  const end = (): void => {
    for (const each of [socket, inner, outer]) each.destroy();
  };
  inner.on("error", () => {});
  pipeline(socket, new AuthorityMender(), outer, end);
  pipeline(outer, socket, end);
  return inner;
}

/** The bytes of one connection, as they came but for the slashes. */
export class AuthorityMender extends Transform {
  /** Bytes that go through unseen. */
  #passing = prefaceBytes;
  /** The beginning of a frame that is not whole yet. */
  #held: Buffer = Buffer.alloc(0);

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#passing > 0) {
        const passed = rest.subarray(0, this.#passing);
        this.#passing -= passed.length;
        this.push(passed);
        rest = rest.subarray(passed.length);
        continue;
      }
      const frameBytes = frameBytesOf(rest);
      if (frameBytes === null || (isMended(rest, frameBytes) && rest.length < frameBytes)) {
        this.#held = rest;
        break;
      }
      if (isMended(rest, frameBytes)) mendHeaders(rest.subarray(0, frameBytes));
      this.#passing = frameBytes;
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    this.push(this.#held);
    done();
  }
}

/** With its head; null while that is not whole. */
function frameBytesOf(bytes: Buffer): number | null {
  return bytes.length < frameHeadBytes ? null : frameHeadBytes + bytes.readUIntBE(0, 3);
}

function isMended(bytes: Buffer, frameBytes: number): boolean {
  return bytes[3] === frameHeaders && frameBytes <= frameHeadBytes + frameBytesMax;
}

/** Of one whole HEADERS frame, in place. */
export function mendHeaders(frame: Buffer): void {
  const flags = frame[4]!;
  let at = frameHeadBytes;
  let end = frame.length;
  if ((flags & flagPadded) !== 0) end -= frame[at++] ?? 0;
  if ((flags & flagPriority) !== 0) at += priorityBytes;
  if (at < end) mendBlock(frame.subarray(at, end));
}

/** One field after the other (RFC 7541, section 6), to the end or to what cannot be read. */
function mendBlock(block: Buffer): void {
  let at = 0;
  while (at < block.length) {
    const first = block[at]!;
    const [isLiteral, prefixBits] = formOf(first);
    const index = readInteger(block, at, prefixBits);
    if (index === null) return;
    at = index.next;
    if (!isLiteral) continue;
    if (index.value === 0) {
      const name = readString(block, at);
      if (name === null) return;
      at = name.end;
    }
    const value = readString(block, at);
    if (value === null) return;
    if (index.value === authorityIndex && !value.isCoded) {
      mendValue(block.subarray(value.start, value.end));
    }
    at = value.end;
  }
}

function mendValue(value: Buffer): void {
  if (value[0] !== slash) return;
  for (const [at, byte] of value.entries()) if (byte === slash) value[at] = dash;
}

/** Whether name and value follow, and how many bits of the first byte begin the index. */
function formOf(first: number): readonly [isLiteral: boolean, prefixBits: number] {
  if ((first & 0x80) !== 0) return [false, 7];
  if ((first & 0x40) !== 0) return [true, 6];
  if ((first & 0x20) !== 0) return [false, 5];
  return [true, 4];
}

interface Text {
  readonly start: number;
  readonly end: number;
  /** By Huffman's code. */
  readonly isCoded: boolean;
}

function readString(block: Buffer, at: number): Text | null {
  const length = readInteger(block, at, 7);
  if (length === null || length.next + length.value > block.length) return null;
  const isCoded = (block[at]! & 0x80) !== 0;
  return { start: length.next, end: length.next + length.value, isCoded };
}

/** RFC 7541, section 5.1; null when it is cut off or absurd. */
function readInteger(
  block: Buffer,
  at: number,
  prefixBits: number,
): { readonly value: number; readonly next: number } | null {
  if (at >= block.length) return null;
  const mask = (1 << prefixBits) - 1;
  let value = block[at]! & mask;
  let next = at + 1;
  if (value < mask) return { value, next };
  for (let shift = 0; shift <= 14; shift += 7) {
    if (next >= block.length) return null;
    const byte = block[next++]!;
    value += (byte & 0x7f) << shift;
    if ((byte & 0x80) === 0) return { value, next };
  }
  return null;
}
