// HTTP/2 heads and trailers as the seam has them: over the fields of what was received, good until the connection is
// given its next bytes. One of each for a connection.
import type { BodyKind } from "#/http/http1/framing.ts";
import { METHOD } from "#/http/http1/method.ts";
import type { MethodCode } from "#/http/http1/method.ts";
import { FieldBlock } from "#/http/http2/field-block.ts";
import { forwardResponse, forwardTrailers } from "#/http/http2/forward.ts";
import type { HpackEncoder } from "#/http/http2/hpack-encoder.ts";
import { ResponseFields } from "#/http/http2/response-fields.ts";
import { responseBody, responseHead1 } from "#/http/translate/response-head.ts";
import { TrailerSection } from "#/http/translate/trailer-block.ts";
import { lastChunkWith } from "#/http/translate/trailer-lines.ts";
import { Http1Trailers } from "../http1-messages.ts";
import type { IncomingResponse, Trailers } from "../transport.ts";

/** `0` and CRLF, before trailers. */
const LAST_SIZE_BYTES = 3;

export class Http2Response implements IncomingResponse {
  readonly switching = null;
  readonly http2Refusal = 0;
  #fields = new ResponseFields();
  #method: MethodCode = METHOD.get;
  #last = false;

  of(fields: ResponseFields, method: MethodCode, last: boolean): this {
    this.#fields = fields;
    this.#method = method;
    this.#last = last;
    return this;
  }

  get status(): number {
    return this.#fields.status;
  }

  bodyFor(minor: 0 | 1): BodyKind {
    return responseBody(this.#fields, minor, this.#last);
  }

  http1Head(body: BodyKind, closes: boolean): Buffer | number {
    return responseHead1(this.#fields, this.#method, body, closes);
  }

  http2Head(encoder: HpackEncoder): void {
    forwardResponse(encoder, this.#fields, []);
  }
}

export class Http2Trailers implements Trailers {
  #fields = new FieldBlock();

  of(fields: FieldBlock): this {
    this.#fields = fields;
    return this;
  }

  http1End(): Buffer | number {
    return lastChunkWith(this.#fields);
  }

  http2Refusal(): number {
    return 0;
  }

  http2Fields(encoder: HpackEncoder): void {
    forwardTrailers(encoder, this.#fields);
  }
}

/** Trailers that are not sent at once: as HTTP/1 says them. A section that it cannot say is refused when it is sent. */
export function keptTrailers(trailers: Trailers): Trailers {
  const end = trailers.http1End();
  if (typeof end === "number")
    return { http1End: () => end, http2Refusal: () => end, http2Fields() {} };
  const section = new TrailerSection();
  section.add(end, LAST_SIZE_BYTES, end.length);
  return new Http1Trailers(section);
}
