// One end of an HTTP/2 connection without a socket, that writes down what it is told and tells what it sent.
import { ascii } from "#/http/http1/bytes.ts";
import { METHOD } from "#/http/http1/method.ts";
import { Http2Connection, PREFACE } from "#/http/http2/connection.ts";
import { errorName } from "#/http/http2/error-code.ts";
import type { ConnectionFault } from "#/http/http2/fault.ts";
import type { FieldBlock } from "#/http/http2/field-block.ts";
import { TYPE } from "#/http/http2/frame.ts";
import { FrameScanner, SCAN } from "#/http/http2/frame-scanner.ts";
import { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import { defaultConnectionLimits } from "#/http/http2/limits.ts";
import type { ConnectionLimits } from "#/http/http2/limits.ts";
import type { RequestFields } from "#/http/http2/request-fields.ts";
import type { ResponseFields } from "#/http/http2/response-fields.ts";
import type { ConnectionOwner } from "#/http/http2/session.ts";
import type { Http2Stream, StreamEnd, StreamListener } from "#/http/http2/stream.ts";
import { addField, encodeFields } from "./header-fields.ts";
import type { Field } from "./header-fields.ts";
import { frame, settings } from "./http2-frame.ts";

const typeNames = Object.fromEntries(Object.entries(TYPE).map(([name, type]) => [type, name]));

export interface EndOptions {
  readonly role?: "server" | "client";
  readonly limits?: Partial<ConnectionLimits>;
  readonly connectProtocol?: boolean;
  /** Content is given back at once; else by the test. */
  readonly releases?: boolean;
}

export class End implements ConnectionOwner, StreamListener {
  readonly connection: Http2Connection;
  /** What this end was told, in order. */
  readonly told: string[] = [];
  /** Content that came on each stream. */
  readonly content: Map<number, string> = new Map();
  /** Streams that the peer opened. */
  readonly opened: Map<number, Http2Stream> = new Map();
  nowMs = 0;
  wakes = 0;
  /** For what a test feeds in by hand. */
  readonly encoder: HpackEncoder = new HpackEncoder();
  /** What to do with each request, besides writing it down. */
  serve: (stream: Http2Stream, request: RequestFields, last: boolean) => void = () => {};
  readonly #releases: boolean;
  readonly #scanner = new FrameScanner();
  #prefaceLeft: number;

  constructor(options: EndOptions = {}) {
    const { role = "server", limits = {}, connectProtocol = false, releases = true } = options;
    this.#releases = releases;
    this.#prefaceLeft = role === "client" ? PREFACE.length : 0;
    this.connection = new Http2Connection(
      this,
      { role, limits: { ...defaultConnectionLimits, ...limits }, connectProtocol },
      0,
    );
  }

  /** A server that has the client's preface and settings, and whose own are acknowledged. */
  static server(options: EndOptions = {}): End {
    const end = new End({ ...options, role: "server" });
    end.receive(PREFACE, settings, frame(TYPE.settings, 1, Buffer.alloc(0), 0));
    end.sent();
    return end;
  }

  /** A client that has the server's settings. */
  static client(options: EndOptions = {}, ...peerSettings: readonly number[]): End {
    const end = new End({ ...options, role: "client" });
    end.receive(
      frame(TYPE.settings, 0, settingsPayload(...peerSettings), 0),
      frame(TYPE.settings, 1, Buffer.alloc(0), 0),
    );
    end.sent();
    return end;
  }

  receive(...parts: readonly Buffer[]): void {
    for (const part of parts) this.connection.receive(part, this.nowMs);
  }

  /** All bytes to send. */
  bytes(): Buffer {
    const parts: Buffer[] = [];
    do parts.push(...this.connection.flush());
    while (this.connection.waits);
    return Buffer.concat(parts);
  }

  /** The frames to send, as "type stream flags payload". HEADERS as what is decoded by nobody here. */
  sent(): string[] {
    const bytes = this.bytes();
    const skipped = Math.min(this.#prefaceLeft, bytes.length);
    this.#prefaceLeft -= skipped;
    return framesOf(this.#scanner, bytes.subarray(skipped));
  }

  /** The header block of `fields`, in the state of this test's encoder. */
  block(...fields: readonly Field[]): Buffer {
    return encodeFields(this.encoder, fields);
  }

  /** HEADERS of a GET, with more fields. */
  get(id: number, path = "/", more: readonly Field[] = [], flags = 5): Buffer {
    return frame(TYPE.headers, flags, this.block(...requestFields("GET", path), ...more), id);
  }

  /** HEADERS of a POST whose content follows. */
  post(id: number, more: readonly Field[] = []): Buffer {
    return frame(TYPE.headers, 4, this.block(...requestFields("POST", "/"), ...more), id);
  }

  /** Client: sends a request. */
  request(method: "GET" | "HEAD" | "POST", path: string, last: boolean): Http2Stream | null {
    const head = this.connection.openRequest();
    if (head === null) return null;
    for (const field of requestFields(method, path)) addField(head, field);
    const code = { GET: METHOD.get, HEAD: METHOD.head, POST: METHOD.post }[method];
    return this.connection.request(this, code, last);
  }

  /** Server: answers with a status and fields. */
  respond(stream: Http2Stream, last: boolean, status = "200", fields: readonly Field[] = []): void {
    const head = stream.openHead();
    if (head === null) return;
    for (const field of [[":status", status] as const, ...fields]) addField(head, field);
    if (status.startsWith("1")) stream.interim();
    else stream.respond(last);
  }

  onRequest(stream: Http2Stream, request: RequestFields, last: boolean): void {
    this.told.push(`request ${stream.id} ${request.methodText} ${request.pathText}${end(last)}`);
    this.opened.set(stream.id, stream);
    stream.listener = this;
    this.serve(stream, request, last);
  }

  onResponse(stream: Http2Stream, response: ResponseFields, last: boolean): void {
    this.told.push(`response ${stream.id} ${response.status}${end(last)}`);
  }

  onData(stream: Http2Stream, bytes: Buffer, last: boolean): void {
    this.told.push(`data ${stream.id} ${bytes.length}${end(last)}`);
    const before = this.content.get(stream.id) ?? "";
    this.content.set(stream.id, before + bytes.toString("latin1"));
    if (this.#releases) stream.release(bytes.length);
  }

  onTrailers(stream: Http2Stream, fields: FieldBlock): void {
    this.told.push(`trailers ${stream.id} ${fields.nameText(0)}`);
  }

  onDrain(stream: Http2Stream): void {
    this.told.push(`drain ${stream.id}`);
  }

  onReset(stream: Http2Stream, { code, by, fault, unprocessed }: StreamEnd): void {
    const more = `${fault === null ? "" : ` ${fault}`}${unprocessed ? " unprocessed" : ""}`;
    this.told.push(`reset ${stream.id} ${errorName(code)} by ${by}${more}`);
  }

  onFault(): void {}

  onWake(): void {
    this.wakes += 1;
  }

  onGoaway(code: number): void {
    this.told.push(`goaway ${errorName(code)}`);
  }

  onClosed(fault: ConnectionFault | null): void {
    this.told.push(`closed ${fault ?? "drained"}`);
  }
}

function end(last: boolean): string {
  return last ? " last" : "";
}

export function requestFields(method: string, path: string): Field[] {
  return [
    [":method", method],
    [":scheme", "http"],
    [":path", path],
    [":authority", "b"],
  ];
}

/** Identifier, value, identifier, value ... */
export function settingsPayload(...words: readonly number[]): Buffer {
  const payload = Buffer.alloc(words.length * 3);
  for (let at = 0; at < words.length; at += 2) {
    payload.writeUInt16BE(words[at]!, at * 3);
    payload.writeUInt32BE(words[at + 1]!, at * 3 + 2);
  }
  return payload;
}

export function windowUpdate(id: number, increment: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(increment);
  return frame(TYPE.windowUpdate, 0, payload, id);
}

export function rstStream(id: number, code: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(TYPE.rstStream, 0, payload, id);
}

export function data(id: number, content: string | number, last: boolean): Buffer {
  const bytes =
    typeof content === "number" ? Buffer.alloc(content, "x") : Buffer.from(ascii(content));
  return frame(TYPE.data, last ? 1 : 0, bytes, id);
}

/** Frames in words: of DATA the number of bytes, of RST_STREAM and GOAWAY the error. */
function framesOf(scanner: FrameScanner, bytes: Buffer): string[] {
  const frames: string[] = [];
  scanner.feed(bytes);
  for (let what = scanner.next(); what !== SCAN.more; what = scanner.next()) {
    if (what < 0) throw new Error(`A frame was sent that must not be: ${errorName(-what)}`);
    if (what === SCAN.content) continue;
    const { type, flags, streamId, length, buffer, start } = scanner;
    const words: (string | number)[] = [typeNames[type] ?? type];
    if (streamId !== 0) words.push(streamId);
    if (type === TYPE.data) words.push(length);
    if (type === TYPE.rstStream) words.push(errorName(buffer.readUInt32BE(start)));
    if (type === TYPE.windowUpdate) words.push(buffer.readUInt32BE(start));
    if (type === TYPE.goaway) {
      words.push(buffer.readUInt32BE(start), errorName(buffer.readUInt32BE(start + 4)));
    }
    const isMessage = type === TYPE.data || type === TYPE.headers;
    if (isMessage && (flags & 1) !== 0) words.push("last");
    if (!isMessage && type !== TYPE.continuation && (flags & 1) !== 0) words.push("ack");
    frames.push(words.join(" "));
  }
  return frames;
}

/** Carries what each end sends to the other until both are silent, in pieces of `pieceBytes`. */
export function converse(a: End, b: End, pieceBytes: number = Number.POSITIVE_INFINITY): void {
  for (let silent = 0; silent < 2;) {
    silent = 0;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const bytes = from.bytes();
      if (bytes.length === 0) silent += 1;
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        to.receive(Buffer.from(bytes.subarray(at, Math.min(bytes.length, at + pieceBytes))));
      }
    }
  }
}
