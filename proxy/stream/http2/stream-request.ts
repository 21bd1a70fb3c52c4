// A request that came on a stream: its head as HTTP/1 says it, made at once, since the fields that it came as live no
// longer than the call that hands them over.
import { METHOD, methodName } from "#/http/http1/method.ts";
import type { BodyKind } from "#/http/http1/framing.ts";
import type { HostMemo } from "#/http/http1/host.ts";
import type { MethodCode } from "#/http/http1/method.ts";
import { RequestHead } from "#/http/http1/request-head.ts";
import type { Lines } from "#/http/http1/writer.ts";
import type { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import type { RequestFields } from "#/http/http2/request-fields.ts";
import { requestBody, requestHead1 } from "#/http/translate/request-head.ts";
import type { RequestFacts } from "../dispatcher.ts";
import { Http1Request } from "../http1-messages.ts";
import type { OutgoingRequest } from "../transport.ts";

export class StreamRequest implements OutgoingRequest, RequestFacts {
  readonly method: MethodCode;
  readonly pathText: string;
  readonly bodyKind: BodyKind;
  readonly #head: Buffer;
  readonly #methodText: string;
  #read: RequestHead | null = null;

  /** The request with `added` to its head, or a refusal code. `last`: it has no content. */
  static from(fields: RequestFields, last: boolean, added: Lines | null): StreamRequest | number {
    const body = requestBody(fields, last);
    const head = requestHead1(fields, body, added);
    return typeof head === "number" ? head : new StreamRequest(fields, body, head);
  }

  private constructor(fields: RequestFields, bodyKind: BodyKind, head: Buffer) {
    this.method = fields.method;
    this.pathText = fields.pathText;
    this.bodyKind = bodyKind;
    this.#head = head;
    this.#methodText = fields.method === METHOD.other ? fields.methodText : "";
  }

  get methodText(): string {
    return this.#methodText === "" ? methodName(this.method) : this.#methodText;
  }

  get host(): HostMemo {
    return this.#parsed().host;
  }

  value(lowerName: Uint8Array): string | null {
    return this.#parsed().value(lowerName);
  }

  http1Head(): Buffer {
    return this.#head;
  }

  http2Head(encoder: HpackEncoder): void {
    new Http1Request(this.#parsed(), null).http2Head(encoder);
  }

  /** Read from what was made: nothing that is on the hot path asks for it. */
  #parsed(): RequestHead {
    if (this.#read === null) {
      this.#read = new RequestHead();
      this.#read.parse(this.#head, 0, this.#head.length);
    }
    return this.#read;
  }
}
