// Scans `version SP status [SP reason] CRLF` (RFC 9112 section 4), on from where it stopped.
import { CR, LF, SPACE, VALUE, ZERO, ascii } from "./bytes.ts";
import { CODE, MORE } from "./refusal.ts";

const PREFIX = ascii("HTTP/1.1 ");
const MINOR_AT = 7;
const STATUS_AT = 9;
const STATUS_END = 12;

export class StatusLine {
  /** First byte of the status line. */
  start = 0;
  minor: 0 | 1 = 1;
  /** 100..999. */
  status = 0;
  /** While incomplete: the first byte not looked at yet. */
  at = 0;
  #begun = false;
  #awaitsLineFeed = false;

  reset(): void {
    this.at = 0;
    this.#begun = false;
    this.#awaitsLineFeed = false;
  }

  /** Scans on from `from` (afterwards from `this.at`). The offset after the line, MORE, or a code. */
  scan(buffer: Uint8Array, from: number, end: number): number {
    if (!this.#begun) {
      this.start = from;
      this.#begun = true;
    }
    this.at = from;
    if (this.at < this.start + STATUS_END) {
      const code = this.#scanFixed(buffer, end);
      if (code !== 0) return code;
    }
    if (this.#awaitsLineFeed) return this.#scanLineFeed(buffer, end);
    let at = this.at;
    // A reason may be left out, and then even its space: no recipient takes that for anything else.
    if (at === this.start + STATUS_END && at < end && buffer[at] !== SPACE && buffer[at] !== CR) {
      return buffer[at] === LF ? CODE.bare_lf : CODE.bad_start_line;
    }
    while (at < end && VALUE[buffer[at]!] !== 0) at += 1;
    this.at = at;
    if (at === end) return MORE;
    if (buffer[at] !== CR) return buffer[at] === LF ? CODE.bare_lf : CODE.control_byte;
    this.at = at + 1;
    this.#awaitsLineFeed = true;
    return this.#scanLineFeed(buffer, end);
  }

  /** The twelve bytes that always stand there. */
  #scanFixed(buffer: Uint8Array, end: number): number {
    const { start } = this;
    const until = Math.min(end, start + STATUS_END);
    for (let at = this.at; at < until; at += 1) {
      const byte = buffer[at]!;
      const index = at - start;
      if (index >= STATUS_AT) {
        const least = index === STATUS_AT ? ZERO + 1 : ZERO;
        if (byte < least || byte > ZERO + 9) return CODE.bad_start_line;
      } else if (byte !== PREFIX[index] && (index !== MINOR_AT || byte !== ZERO)) {
        const digit = byte >= ZERO && byte <= ZERO + 9;
        const inVersion = index === MINOR_AT || index === MINOR_AT - 2;
        return inVersion && digit ? CODE.version_unsupported : CODE.bad_start_line;
      }
    }
    this.at = until;
    if (until < start + STATUS_END) return MORE;
    this.minor = buffer[start + MINOR_AT] === ZERO ? 0 : 1;
    const digits = start + STATUS_AT;
    this.status =
      (buffer[digits]! - ZERO) * 100 +
      (buffer[digits + 1]! - ZERO) * 10 +
      (buffer[digits + 2]! - ZERO);
    return 0;
  }

  #scanLineFeed(buffer: Uint8Array, end: number): number {
    if (this.at === end) return MORE;
    if (buffer[this.at] !== LF) return CODE.bare_cr;
    this.at += 1;
    return this.at;
  }
}
