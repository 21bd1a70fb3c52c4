// Scans `method SP target SP version CRLF` (RFC 9112 section 3), byte by byte where it has to be: it
// goes on where it stopped however the bytes are cut.
import {
  CR,
  LF,
  PERCENT,
  QUERY,
  SLASH,
  SPACE,
  TOKEN,
  ZERO,
  ascii,
  isAlphanumeric,
} from "./bytes.ts";
import { METHOD, METHOD_BYTES_MAX, methodOf } from "./method.ts";
import type { MethodCode } from "./method.ts";
import { CODE, MORE } from "./refusal.ts";
import { PLAIN_PATH_BYTES, TARGET_BYTES, isAfterSlash } from "./target-bytes.ts";

export const TARGET_BYTES_MAX: number = 16 * 1024;

const PHASE = { start: 0, startLineFeed: 1, method: 2, path: 3, query: 4, version: 5 } as const;

// Imported bindings are looked up each time, a module's own constants are not.
const TARGET = TARGET_BYTES;
const PLAIN_PATH = PLAIN_PATH_BYTES;

const VERSION_BYTES = 10;
const VERSION = ascii("HTTP/1.1\r\n");
const MAJOR_AT = 5;
const MINOR_AT = 7;
const PREFACE_METHOD = ascii("PRI");

/** The parts of a request line. All offsets are into the buffer that was scanned. */
export class RequestLine {
  /** The first byte of the method: after the empty line that is allowed before it. */
  start = 0;
  method: MethodCode = METHOD.other;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** Where the query begins (its `?`), or targetEnd. */
  pathEnd = 0;
  /** The path holds something that path.ts has to look at. */
  pathSuspect = false;
  minor: 0 | 1 = 1;
  /** While incomplete: the first byte not looked at yet. */
  at = 0;
  #phase: number = PHASE.start;

  reset(): void {
    this.at = 0;
    this.pathSuspect = false;
    this.#phase = PHASE.start;
  }

  /** Scans on from `from` (afterwards from `this.at`). The offset after the line, MORE, or a code. */
  scan(buffer: Uint8Array, from: number, end: number): number {
    this.at = from;
    if (this.#phase <= PHASE.startLineFeed) {
      const code = this.#scanStart(buffer, end);
      if (code !== 0) return code;
    }
    if (this.#phase === PHASE.method) {
      const code = this.#scanMethod(buffer, end);
      if (code !== 0) return code;
    }
    if (this.#phase <= PHASE.query) {
      const code = this.#scanTarget(buffer, end);
      if (code !== 0) return code;
    }
    return this.#scanVersion(buffer, end);
  }

  /** At most one empty line before the request (RFC 9112 section 2.2). */
  #scanStart(buffer: Uint8Array, end: number): number {
    if (this.#phase === PHASE.start) {
      if (this.at === end) return MORE;
      if (buffer[this.at] === CR) {
        this.at += 1;
        this.#phase = PHASE.startLineFeed;
      }
    }
    if (this.#phase === PHASE.startLineFeed) {
      if (this.at === end) return MORE;
      if (buffer[this.at] !== LF) return CODE.bare_cr;
      this.at += 1;
    }
    this.start = this.at;
    this.#phase = PHASE.method;
    return 0;
  }

  #scanMethod(buffer: Uint8Array, end: number): number {
    const start = this.start;
    let at = this.at;
    while (at < end && TOKEN[buffer[at]!] !== 0) at += 1;
    this.at = at;
    if (at - start > METHOD_BYTES_MAX) return CODE.method_too_long;
    if (at === end) return MORE;
    if (buffer[at] !== SPACE || at === start) {
      return buffer[at] === LF ? CODE.bare_lf : CODE.bad_method;
    }
    this.method = methodOf(buffer, start, at);
    if (this.method === METHOD.other && isPreface(buffer, start, at)) return CODE.http2_preface;
    this.methodEnd = at;
    this.at = at + 1;
    this.targetStart = at + 1;
    this.#phase = PHASE.path;
    return 0;
  }

  #scanTarget(buffer: Uint8Array, end: number): number {
    const limit = this.targetStart + TARGET_BYTES_MAX;
    let at = this.at;
    if (this.#phase === PHASE.path) {
      for (; at < end; at += 1) {
        const byte = buffer[at]!;
        if (PLAIN_PATH[byte] !== 0) continue;
        if (isAfterSlash(byte)) {
          if (buffer[at - 1] === SLASH) this.pathSuspect = true;
        } else if (byte === PERCENT) this.pathSuspect = true;
        else break;
      }
      this.at = at;
      if (at > limit) return CODE.target_too_long;
      if (at === end) return MORE;
      this.pathEnd = at;
      if (buffer[at] === QUERY) this.#phase = PHASE.query;
    }
    if (this.#phase === PHASE.query) {
      while (at < end && TARGET[buffer[at]!] !== 0) at += 1;
      this.at = at;
      if (at > limit) return CODE.target_too_long;
      if (at === end) return MORE;
    }
    if (buffer[at] !== SPACE || at === this.targetStart) {
      return buffer[at] === LF ? CODE.bare_lf : CODE.bad_target;
    }
    this.targetEnd = at;
    this.at = at + 1;
    this.#phase = PHASE.version;
    return 0;
  }

  #scanVersion(buffer: Uint8Array, end: number): number {
    const start = this.targetEnd + 1;
    const until = Math.min(end, start + VERSION_BYTES);
    for (let at = this.at; at < until; at += 1) {
      const byte = buffer[at]!;
      const index = at - start;
      if (byte === VERSION[index]) continue;
      if (index !== MINOR_AT || byte !== ZERO) return versionFault(byte, index);
    }
    this.at = until;
    if (until - start < VERSION_BYTES) return MORE;
    this.minor = buffer[start + MINOR_AT] === ZERO ? 0 : 1;
    return until;
  }
}

function isPreface(buffer: Uint8Array, start: number, end: number): boolean {
  return (
    end - start === PREFACE_METHOD.length &&
    PREFACE_METHOD.every((byte, index) => buffer[start + index] === byte)
  );
}

function versionFault(byte: number, index: number): number {
  const digit = byte < 0x40 && isAlphanumeric(byte);
  if ((index === MAJOR_AT || index === MINOR_AT) && digit) return CODE.version_unsupported;
  if (byte === LF) return CODE.bare_lf;
  return index === VERSION_BYTES - 1 ? CODE.bare_cr : CODE.bad_start_line;
}
