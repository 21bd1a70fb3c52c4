// One call on one stream: messages in, messages out, and at the end its status. What the peer sends that is
// no message ends the call and nothing else.
import { assert } from "#/lib/assert.ts";
import { RpcError, opaqueAnswers } from "../rpc-error.ts";
import type { RpcErrorCode } from "../rpc-error.ts";
import { ERROR, fieldLine } from "./http2.ts";
import type { FieldLine, HpackEncoder, Http2Stream, StreamListener } from "./http2.ts";
import { MESSAGE_HEAD_BYTES, MessageReader } from "./message-reader.ts";
import type { MessageFault } from "./message-reader.ts";
import { STATUS_OK, messageText, statusOf } from "./status.ts";

/** The entry ":status 200" of HPACK's static table. */
const HTTP_STATUS_200 = 8;
const contentType = fieldLine("content-type", "application/grpc");
const statusLines: readonly FieldLine[] = Array.from({ length: 17 }, (_each, status) =>
  fieldLine("grpc-status", String(status)),
);
const sentences: ReadonlyMap<RpcErrorCode, FieldLine> = new Map(
  Object.entries(opaqueAnswers).map(([code, text]) => [
    code as RpcErrorCode,
    fieldLine("grpc-message", messageText(text)),
  ]),
);

const faults: Readonly<Record<MessageFault, RpcErrorCode>> = {
  message_packed: "unimplemented",
  message_too_large: "resource_exhausted",
};

/** Hears of a call what its method needs to know. */
export interface CallHandlers {
  onMessage(bytes: Buffer): void;
  /** The caller sends no more messages. */
  onLast(): void;
  /** Once, whoever ended it; null: it was answered, or the caller gave it up. */
  onEnd(error: RpcError | null): void;
}

/** Bytes of one message, either way. */
export interface CallLimits {
  readonly messageBytesMax: number;
  readonly sendBytesMax: number;
}

export class Call implements StreamListener {
  readonly #stream: Http2Stream;
  readonly #limits: CallLimits;
  readonly #reader: MessageReader;
  readonly #take = (message: Buffer): void => {
    if (!this.#ended) this.#handlers?.onMessage(message);
  };
  #handlers: CallHandlers | null = null;
  #ended = false;

  constructor(stream: Http2Stream, limits: CallLimits) {
    this.#stream = stream;
    this.#limits = limits;
    this.#reader = new MessageReader(limits.messageBytesMax);
    stream.listener = this;
  }

  /** In the turn in which the call was made. */
  set handlers(handlers: CallHandlers) {
    assert(this.#handlers === null, "a call is handled once");
    this.#handlers = handlers;
    if (this.#ended) handlers.onEnd(null);
  }

  /** Does nothing once the call has ended. */
  send(bytes: Uint8Array): void {
    if (this.#ended) return;
    if (bytes.length > this.#limits.sendBytesMax) {
      const state = `${bytes.length} bytes are more than ${this.#limits.sendBytesMax}`;
      return this.fail(new RpcError("resource_exhausted", `Cannot send message: ${state}`));
    }
    if (!this.#openAnswer()) return;
    const framed = Buffer.allocUnsafe(MESSAGE_HEAD_BYTES + bytes.length);
    framed[0] = 0;
    framed.writeUInt32BE(bytes.length, 1);
    framed.set(bytes, MESSAGE_HEAD_BYTES);
    this.#stream.send(framed, false);
  }

  /** All was said. */
  finish(): void {
    if (this.#end(null)) this.#sayStatus(STATUS_OK, null);
  }

  /** The peer hears the code and an opaque sentence. */
  fail(error: RpcError): void {
    if (this.#end(error)) this.#sayStatus(statusOf(error.code), sentences.get(error.code)!);
  }

  onResponse(): void {}

  onData(stream: Http2Stream, bytes: Buffer, last: boolean): void {
    // What is held is bounded by the size of one message.
    stream.release(bytes.length);
    if (this.#ended) return;
    const fault = this.#reader.push(bytes, this.#take);
    if (fault !== null) this.fail(new RpcError(faults[fault], `Cannot read message: ${fault}`));
    else if (last) this.#onLast();
  }

  onTrailers(): void {
    this.#onLast();
  }

  onDrain(): void {}

  onReset(): void {
    this.#end(null);
  }

  /** The request's head was all. */
  #onLast(): void {
    if (this.#ended) return;
    if (!this.#reader.isWithin) this.#handlers?.onLast();
    else this.fail(new RpcError("internal", "Cannot read message: it was cut off"));
  }

  #end(error: RpcError | null): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#handlers?.onEnd(error);
    return true;
  }

  /** The answer's head, once. False: the stream is over. */
  #openAnswer(): boolean {
    const stream = this.#stream;
    if (stream.headSent) return stream.writable;
    const head = stream.openHead();
    if (head === null) return false;
    head.indexed(HTTP_STATUS_200);
    head.line(contentType);
    stream.respond(false);
    return true;
  }

  #sayStatus(status: number, message: FieldLine | null): void {
    const stream = this.#stream;
    if (stream.headSent) {
      const trailers = stream.openTrailers();
      if (trailers === null) return;
      putStatus(trailers, status, message);
      stream.sendTrailers();
    } else {
      const head = stream.openHead();
      if (head === null) return;
      head.indexed(HTTP_STATUS_200);
      head.line(contentType);
      putStatus(head, status, message);
      stream.respond(true);
    }
    // Whoever still sends is told that nobody reads it (RFC 9113 section 8.1).
    if (stream.queuedBytes === 0 && !stream.remoteEnded) stream.reset(ERROR.noError);
  }
}

function putStatus(block: HpackEncoder, status: number, message: FieldLine | null): void {
  block.line(statusLines[status]!);
  if (message !== null) block.line(message);
}
