// The head of an HTTP/1 response from upstream. Used like RequestHead; what was asked decides how the
// body ends, so it is given first:
//
//   head.reset(request.method, request.websocket)
//   const after = head.parse(buffer, start, end)   // MORE, a refusal code (answer 502), or the offset
//
// A response that cannot be framed in one way only is refused: never guessed, never passed on.
import { ascii, equalsIgnoringCase } from "./bytes.ts";
import { OPTION, readConnection } from "./connection-options.ts";
import { FieldIndex } from "./field-index.ts";
import { KIND, STRIPPED } from "./field-kind.ts";
import { BODY, FRAMING_CHUNKED, FRAMING_NEITHER, framingRefusal, readFraming } from "./framing.ts";
import type { BodyKind } from "./framing.ts";
import { METHOD } from "./method.ts";
import type { MethodCode } from "./method.ts";
import { CODE, MORE } from "./refusal.ts";
import { HEAD_BYTES_MAX } from "./request-head.ts";
import { StatusLine } from "./status-line.ts";

const NO_BYTES = Buffer.alloc(0);
const SIGNET = ascii("signet");

const SWITCHING = 101;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;

export class ResponseHead {
  buffer: Buffer = NO_BYTES;
  /** First byte of the status line. */
  start = 0;
  /** Just after the blank line; 0 until the head is complete. */
  end = 0;
  readonly line: StatusLine = new StatusLine();
  readonly fields: FieldIndex = new FieldIndex();
  bodyKind: BodyKind = BODY.none;
  /** Bytes of the body when bodyKind is BODY.length, else 0. At most 2^53 - 1. */
  contentLength = 0;
  /** Whether the connection may carry another request after this response. */
  keepAlive = true;
  /** 1xx but 101: another head follows. */
  interim = false;
  /** 101 to a WebSocket upgrade: what follows is no longer HTTP. */
  switching = false;
  /** Has fields that must not be passed on (not counting Server: writer.ts sees to it). */
  needsRewrite = false;
  #method: MethodCode = METHOD.get;
  #websocket = false;
  #refused = 0;
  #fieldsBegun = false;

  get status(): number {
    return this.line.status;
  }

  get minor(): 0 | 1 {
    return this.line.minor;
  }

  /** Makes ready for the response to a request (and again after each interim one). */
  reset(method: MethodCode, websocket: boolean): void {
    this.#method = method;
    this.#websocket = websocket;
    this.buffer = NO_BYTES;
    this.end = 0;
    this.line.reset();
    this.fields.reset();
    this.bodyKind = BODY.none;
    this.contentLength = 0;
    this.keepAlive = true;
    this.interim = false;
    this.switching = false;
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
    this.start = start;
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

  #conclude(buffer: Buffer): number {
    const { fields, line } = this;
    const framing = readFraming(fields, buffer, line.minor);
    const refused = framingRefusal(framing);
    if (refused !== 0) return refused;
    this.keepAlive = line.minor === 1;
    if (fields.has(KIND.connection)) {
      const options = readConnection(fields, buffer);
      if (options < 0) return options;
      if ((options & OPTION.keepAlive) !== 0) this.keepAlive = true;
      if ((options & OPTION.close) !== 0) this.keepAlive = false;
    }
    const code = this.#frame(framing);
    if (code !== 0) return code;
    if (fields.has(KIND.server)) this.#readServer(buffer);
    this.needsRewrite = (fields.seen & STRIPPED) !== 0 || fields.padded;
    return 0;
  }

  /** RFC 9112 section 6.3. */
  #frame(framing: number): number {
    const { status } = this.line;
    if (status < 200 || status === NO_CONTENT) {
      // No length may be given here; recipients disagree on whether it counts.
      if (framing !== FRAMING_NEITHER && framing !== 0) return CODE.body_not_allowed;
      this.interim = status < 200 && status !== SWITCHING;
      if (status !== SWITCHING) return 0;
      if (!this.#websocket) return CODE.unexpected_switch;
      this.switching = true;
      return 0;
    }
    if (status === NOT_MODIFIED || this.#method === METHOD.head) return 0;
    if (this.#method === METHOD.connect && status < 300) return 0;
    if (framing === FRAMING_CHUNKED) this.bodyKind = BODY.chunked;
    else if (framing > 0) {
      this.bodyKind = BODY.length;
      this.contentLength = framing;
    } else if (framing === FRAMING_NEITHER) {
      this.bodyKind = BODY.close;
      this.keepAlive = false;
    }
    return 0;
  }

  #readServer(buffer: Buffer): void {
    const { fields } = this;
    if ((fields.repeated & (1 << KIND.server)) !== 0) return;
    const field = fields.first[KIND.server]!;
    if (equalsIgnoringCase(buffer, fields.valueStart(field), fields.valueEnd(field), SIGNET)) {
      fields.setKind(field, KIND.serverSignet);
    }
  }
}
