// Reads and normalises an authority (Host, absolute-form) once, before routing or policy sees it:
// lower case, one trailing dot taken off, port apart. The normalised bytes are what is forwarded.
//
// Refused: empty, longer than 255 bytes, user information, lists, empty labels, percent-escapes,
// an empty port or one outside 1..65535, an address in brackets that is not IPv6.
import { isIPv6 } from "node:net";
import { COLON, DOT, PERCENT, ZERO, isAlphanumeric, tableOf, textOf } from "./bytes.ts";
import { CODE } from "./refusal.ts";

export const HOST_BYTES_MAX = 255;

const NAME = tableOf((byte) => isAlphanumeric(byte) || byte === 0x2d || byte === 0x5f);
const BRACKET_OPEN = 0x5b;
const BRACKET_CLOSE = 0x5d;
const PORT_MAX = 65535;

/**
 * The last authority read and what it means. A connection mostly repeats one Host, so its parsing and
 * its string are done once, not per request.
 */
export class HostMemo {
  /** Normalised name or address, without port. */
  host = "";
  /** 0 when none was given. */
  port = 0;
  /** Both, as they are forwarded. */
  normal = "";
  /** The whole value in normal form when it differs from what was received; null when it does not. */
  rewritten: Buffer | null = null;
  readonly #raw: Uint8Array = new Uint8Array(HOST_BYTES_MAX);
  #length = 0;

  /** Returns 0, or a refusal code. */
  read(buffer: Buffer, start: number, end: number): number {
    const length = end - start;
    if (length === this.#length && length > 0) {
      let index = 0;
      while (index < length && buffer[start + index] === this.#raw[index]) index += 1;
      if (index === length) return 0;
    }
    return this.#parse(buffer, start, end);
  }

  #parse(buffer: Buffer, start: number, end: number): number {
    const length = end - start;
    this.#length = 0;
    if (length === 0 || length > HOST_BYTES_MAX) return CODE.bad_host;
    const bracketed = buffer[start] === BRACKET_OPEN;
    const nameEnd = bracketed ? addressEnd(buffer, start, end) : nameEndOf(buffer, start, end);
    if (nameEnd <= start) return CODE.bad_host;
    const port = portOf(buffer, nameEnd, end);
    if (port < 0) return CODE.bad_host;
    const dotted = buffer[nameEnd - 1] === DOT;
    const received = textOf(buffer, start, end);
    this.host = received.slice(0, nameEnd - start - (dotted ? 1 : 0)).toLowerCase();
    this.port = port;
    this.normal = port === 0 ? this.host : `${this.host}:${port}`;
    this.rewritten = this.normal === received ? null : Buffer.from(this.normal, "latin1");
    for (let index = 0; index < length; index += 1) this.#raw[index] = buffer[start + index]!;
    this.#length = length;
    return 0;
  }
}

/** Lower case without one trailing dot: how names of services are compared with `HostMemo.host`. */
export function normalizeHostName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}

/** End of a name at `start`, trailing dot included; -1 when it has an empty label or a bad byte. */
function nameEndOf(buffer: Uint8Array, start: number, end: number): number {
  let at = start;
  let label = 0;
  for (; at < end && buffer[at] !== COLON; at += 1) {
    if (buffer[at] === DOT) {
      if (label === 0) return -1;
      label = 0;
    } else if (NAME[buffer[at]!] === 0) return -1;
    else label += 1;
  }
  return at;
}

/** End of an IPv6 address in brackets, after the closing one; -1 when it is none. */
function addressEnd(buffer: Buffer, start: number, end: number): number {
  let at = start + 1;
  // A zone identifier means nothing beyond the machine that wrote it.
  while (at < end && buffer[at] !== BRACKET_CLOSE && buffer[at] !== PERCENT) at += 1;
  if (buffer[at] !== BRACKET_CLOSE || at === end) return -1;
  return isIPv6(textOf(buffer, start + 1, at)) ? at + 1 : -1;
}

/** 0 when there is none, -1 when it is malformed. */
function portOf(buffer: Uint8Array, start: number, end: number): number {
  if (start === end) return 0;
  if (buffer[start] !== COLON || end - start < 2 || end - start > 6) return -1;
  let port = 0;
  for (let at = start + 1; at < end; at += 1) {
    const digit = buffer[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    port = port * 10 + digit;
  }
  return port === 0 || port > PORT_MAX ? -1 : port;
}
