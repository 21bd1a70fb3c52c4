// The head of an HTTP/1 request: an index over the received bytes and everything the proxy has to
// decide by. It is strict where recipients are known to disagree (attacks 36 to 45) and never throws.
//
//   const head = new RequestHead();          // one per connection, used again for each request
//   const after = head.parse(buffer, start, end);
//   after === MORE     keep the bytes contiguous, append, call again: same start, larger end
//   after < MORE       refusalOf(after) is {status, reason}; answer it and close
//   else               head is valid; the body begins at `after`
//   head.reset()       before the next request
//
// When bytes of an unfinished head are moved to another offset, reset() and parse again.
// Forward buffer[head.start, head.end) untouched unless head.needsRewrite; else see writer.ts.
import { SLASH, ascii, equalsIgnoringCase, sameIgnoringCase, textOf } from "./bytes.ts";
import { OPTION, readConnection } from "./connection-options.ts";
import { FieldIndex } from "./field-index.ts";
import { KIND, STRIPPED, kindSet } from "./field-kind.ts";
import { BODY, FRAMING_CHUNKED, framingRefusal, readFraming } from "./framing.ts";
import type { BodyKind } from "./framing.ts";
import { HostMemo } from "./host.ts";
import { METHOD, methodName } from "./method.ts";
import type { MethodCode } from "./method.ts";
import { normalizePath } from "./path.ts";
import { CODE, MORE } from "./refusal.ts";
import { RequestLine } from "./request-line.ts";

/** Start line, fields and blank line together. */
export const HEAD_BYTES_MAX: number = 64 * 1024;

const ASTERISK = 0x2a;
const HTTP_SCHEME = ascii("http://");
const CONTINUE = ascii("100-continue");
const WEBSOCKET = ascii("websocket");
const TRAILERS = ascii("trailers");
const NO_BYTES = Buffer.alloc(0);
const ROOT = Buffer.from("/", "latin1");
const ALL = Buffer.from("*", "latin1");

/** Base64 of 16 bytes (RFC 6455 section 4.1). */
const WEBSOCKET_KEY_BYTES = 24;

/** Kinds whose value decides something besides framing, host and stripping. */
const EXAMINED = kindSet(KIND.connection, KIND.expect, KIND.te);

export interface RequestHeadOptions {
  /** Accept CONNECT with an authority equal to Host. Off: it is refused (`connect_refused`). */
  readonly allowConnect?: boolean;
}

export class RequestHead {
  /** The bytes all offsets point into, from the last parse. */
  buffer: Buffer = NO_BYTES;
  /** First byte of the request line. */
  start = 0;
  /** Just after the blank line; 0 until the head is complete. */
  end = 0;
  readonly line: RequestLine = new RequestLine();
  readonly fields: FieldIndex = new FieldIndex();
  readonly host: HostMemo = new HostMemo();
  bodyKind: BodyKind = BODY.none;
  /** Bytes of the body when bodyKind is BODY.length, else 0. At most 2^53 - 1. */
  contentLength = 0;
  /** Whether the client allows another request on this connection. */
  keepAlive = true;
  /** The client waits for `100 Continue` before it sends the body. */
  expectContinue = false;
  /** A complete WebSocket upgrade. Any other upgrade is not honoured and not passed on. */
  websocket = false;
  /** The target to send on when it is not the received one: normalised, origin-form. */
  newTarget: Buffer | null = null;
  /** Bytes other than the received ones have to be sent on (writer.ts makes them). */
  needsRewrite = false;
  readonly #allowConnect: boolean;
  #refused = 0;
  #fieldsBegun = false;

  constructor(options: RequestHeadOptions = {}) {
    this.#allowConnect = options.allowConnect ?? false;
  }

  get method(): MethodCode {
    return this.line.method;
  }

  get minor(): 0 | 1 {
    return this.line.minor;
  }

  get methodText(): string {
    const code = this.line.method;
    if (code !== METHOD.other) return methodName(code);
    return textOf(this.buffer, this.line.start, this.line.methodEnd);
  }

  /** The normalised path without the query; `*` in asterisk-form; empty for CONNECT. */
  get pathText(): string {
    const { line } = this;
    if (line.method === METHOD.connect) return "";
    if (this.newTarget === null) return textOf(this.buffer, line.targetStart, line.pathEnd);
    const query = this.newTarget.indexOf(0x3f);
    return textOf(this.newTarget, 0, query < 0 ? this.newTarget.length : query);
  }

  /** The query with its `?`, as received; empty when there is none. */
  get queryText(): string {
    return textOf(this.buffer, this.line.pathEnd, this.line.targetEnd);
  }

  /** The value of the field with this lower-case name, null without; several are joined with ", ". */
  value(lowerName: Uint8Array): string | null {
    const { buffer, fields } = this;
    let text: string | null = null;
    let field = fields.find(buffer, lowerName);
    while (field >= 0) {
      const one = textOf(buffer, fields.valueStart(field), fields.valueEnd(field));
      text = text === null ? one : `${text}, ${one}`;
      field = fields.find(buffer, lowerName, field + 1);
    }
    return text;
  }

  /** Makes ready for the next request; keeps only the memory of the last Host. */
  reset(): void {
    this.buffer = NO_BYTES;
    this.end = 0;
    this.line.reset();
    this.fields.reset();
    this.bodyKind = BODY.none;
    this.contentLength = 0;
    this.keepAlive = true;
    this.expectContinue = false;
    this.websocket = false;
    this.newTarget = null;
    this.needsRewrite = false;
    this.#refused = 0;
    this.#fieldsBegun = false;
  }

  /** The offset after the blank line, MORE, or a refusal code (which then stays until reset). */
  parse(buffer: Buffer, start: number, end: number): number {
    if (this.#refused !== 0) return this.#refused;
    this.buffer = buffer;
    const limit = Math.min(end, start + HEAD_BYTES_MAX);
    const after = this.#scan(buffer, start, limit);
    if (after === MORE) {
      return limit - start === HEAD_BYTES_MAX ? this.#refuse(CODE.head_too_long) : MORE;
    }
    if (after < 0) return this.#refuse(after);
    const code = this.#conclude(buffer);
    if (code !== 0) return this.#refuse(code);
    this.start = this.line.start;
    this.end = after;
    return after;
  }

  #scan(buffer: Buffer, start: number, limit: number): number {
    const { line, fields } = this;
    let from = fields.at;
    if (!this.#fieldsBegun) {
      from = line.scan(buffer, line.at === 0 ? start : line.at, limit);
      if (from < 0) return from;
      this.#fieldsBegun = true;
    }
    return fields.scan(buffer, from, limit);
  }

  #refuse(code: number): number {
    this.#refused = code;
    return code;
  }

  /** Everything that needs the whole head: 0 or a refusal code. */
  #conclude(buffer: Buffer): number {
    const { line, fields } = this;
    const framing = readFraming(fields, buffer, line.minor);
    const refused = framingRefusal(framing);
    if (refused !== 0) return refused;
    if (framing > 0) {
      this.bodyKind = BODY.length;
      this.contentLength = framing;
    } else if (framing === FRAMING_CHUNKED) this.bodyKind = BODY.chunked;

    const hostCode = this.#readHost(buffer);
    if (hostCode !== 0) return hostCode;
    this.keepAlive = line.minor === 1;
    if ((fields.seen & EXAMINED) !== 0) {
      const code = this.#examine(buffer);
      if (code !== 0) return code;
    }
    const plain = buffer[line.targetStart] === SLASH && line.method !== METHOD.connect;
    if (!plain || line.pathSuspect) {
      const code = plain ? this.#normalize(line.targetStart) : this.#readOtherForm(buffer);
      if (code !== 0) return code;
    }
    this.needsRewrite =
      (fields.seen & STRIPPED) !== 0 ||
      fields.padded ||
      this.newTarget !== null ||
      this.host.rewritten !== null;
    return 0;
  }

  #readHost(buffer: Buffer): number {
    const { fields } = this;
    if (!fields.has(KIND.host)) return CODE.host_missing;
    if ((fields.repeated & (1 << KIND.host)) !== 0) return CODE.host_repeated;
    const field = fields.first[KIND.host]!;
    return this.host.read(buffer, fields.valueStart(field), fields.valueEnd(field));
  }

  #examine(buffer: Buffer): number {
    const { fields, line } = this;
    if (fields.has(KIND.connection)) {
      const options = readConnection(fields, buffer);
      if (options < 0) return options;
      if ((options & OPTION.keepAlive) !== 0) this.keepAlive = true;
      if ((options & OPTION.close) !== 0) this.keepAlive = false;
      if ((options & OPTION.upgrade) !== 0) this.websocket = this.#upgradesToWebsocket(buffer);
    }
    // A client of HTTP/1.0 cannot wait for 100 (RFC 9110 section 10.1.1).
    if (fields.has(KIND.expect) && line.minor === 1) {
      if (!this.#only(buffer, KIND.expect, CONTINUE)) return CODE.expectation_unknown;
      this.expectContinue = this.bodyKind !== BODY.none;
    }
    if (fields.has(KIND.te) && this.#only(buffer, KIND.te, TRAILERS)) {
      fields.setKind(fields.first[KIND.te]!, KIND.teTrailers);
    }
    return 0;
  }

  /** Whether the field stands there once, with exactly this value in any case. */
  #only(buffer: Buffer, kind: number, lower: Uint8Array): boolean {
    const { fields } = this;
    if (!fields.has(kind) || (fields.repeated & (1 << kind)) !== 0) return false;
    const field = fields.first[kind]!;
    return equalsIgnoringCase(buffer, fields.valueStart(field), fields.valueEnd(field), lower);
  }

  #upgradesToWebsocket(buffer: Buffer): boolean {
    const { fields, line } = this;
    if (line.method !== METHOD.get || line.minor !== 1 || this.bodyKind !== BODY.none) return false;
    if (!this.#only(buffer, KIND.upgrade, WEBSOCKET)) return false;
    if (!fields.has(KIND.websocketKey)) return false;
    if ((fields.repeated & (1 << KIND.websocketKey)) !== 0) return false;
    const key = fields.first[KIND.websocketKey]!;
    return fields.valueEnd(key) - fields.valueStart(key) === WEBSOCKET_KEY_BYTES;
  }

  /** asterisk-form, absolute-form, authority-form (RFC 9112 section 3.2). */
  #readOtherForm(buffer: Buffer): number {
    const { line, fields } = this;
    const { targetStart, targetEnd, pathEnd } = line;
    const host = fields.first[KIND.host]!;
    const hostStart = fields.valueStart(host);
    const hostEnd = fields.valueEnd(host);
    if (line.method === METHOD.connect) {
      if (!this.#allowConnect) return CODE.connect_refused;
      if (this.bodyKind !== BODY.none) return CODE.body_not_allowed;
      const same = sameIgnoringCase(buffer, targetStart, targetEnd, hostStart, hostEnd);
      return same ? 0 : CODE.authority_mismatch;
    }
    if (buffer[targetStart] === ASTERISK) {
      const alone = targetEnd - targetStart === 1 && line.method === METHOD.options;
      return alone ? 0 : CODE.bad_target_form;
    }
    const authorityStart = targetStart + HTTP_SCHEME.length;
    if (
      !equalsIgnoringCase(buffer, targetStart, Math.min(authorityStart, targetEnd), HTTP_SCHEME)
    ) {
      return CODE.bad_target_form;
    }
    let authorityEnd = authorityStart;
    while (authorityEnd < pathEnd && buffer[authorityEnd] !== SLASH) authorityEnd += 1;
    if (!sameIgnoringCase(buffer, authorityStart, authorityEnd, hostStart, hostEnd)) {
      return CODE.authority_mismatch;
    }
    if (authorityEnd < pathEnd) return this.#normalize(authorityEnd);
    const whole = line.method === METHOD.options && pathEnd === targetEnd;
    this.newTarget = whole ? ALL : Buffer.concat([ROOT, buffer.subarray(pathEnd, targetEnd)]);
    return 0;
  }

  /** Sets newTarget when the path from `pathStart` on is not in normal form, or not at the start. */
  #normalize(pathStart: number): number {
    const { line, buffer } = this;
    const path = normalizePath(buffer, pathStart, line.pathEnd);
    if (typeof path === "number") return path;
    const received = buffer.subarray(pathStart, line.pathEnd);
    if (pathStart === line.targetStart && path.equals(received)) return 0;
    this.newTarget = Buffer.concat([path, buffer.subarray(line.pathEnd, line.targetEnd)]);
    return 0;
  }
}
