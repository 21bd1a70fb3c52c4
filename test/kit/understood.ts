// What a sidecar makes of bytes: the requests in them, one after the other, and how it ends. What it would
// send on for each is there, too, to be judged by others.
import { ChunkedScanner } from "#/http/http1/chunked.ts";
import { FIELD_STRIDE } from "#/http/http1/field-index.ts";
import type { FieldIndex } from "#/http/http1/field-index.ts";
import { BODY } from "#/http/http1/framing.ts";
import type { BodyKind } from "#/http/http1/framing.ts";
import { METHOD } from "#/http/http1/method.ts";
import { MORE, refusalOf } from "#/http/http1/refusal.ts";
import type { Refusal } from "#/http/http1/refusal.ts";
import { RequestHead } from "#/http/http1/request-head.ts";
import { ResponseHead } from "#/http/http1/response-head.ts";
import { requestBytes, responseBytes } from "#/http/http1/writer.ts";

/** A message as it is sent on. Texts have one character for each byte. */
interface Sent {
  /** Names and values, as `IncomingMessage.rawHeaders` has them. */
  readonly fields: readonly string[];
  readonly body: string;
  /** Head and body. */
  readonly bytes: Buffer;
}

export interface SentRequest extends Sent {
  readonly method: string;
  readonly target: string;
}

export interface SentResponse extends Sent {
  readonly status: number;
}

export interface Understood {
  readonly requests: readonly SentRequest[];
  /** incomplete: it waits for more. closed: the last request was the connection's last. */
  readonly end: "all" | "incomplete" | "closed" | Refusal;
}

export function understand(bytes: Buffer): Understood {
  const requests: SentRequest[] = [];
  const head = new RequestHead();
  let at = 0;
  while (at < bytes.length) {
    head.reset();
    const start = head.parse(bytes, at, bytes.length);
    if (start === MORE) return { requests, end: "incomplete" };
    if (start < 0) return { requests, end: refusalOf(start) };
    const body = bodyOf(head, bytes, start);
    if (body === "incomplete" || "status" in body) return { requests, end: body };
    requests.push(sentRequest(head, body));
    if (!head.keepAlive) return { requests, end: "closed" };
    at = body.end;
  }
  return { requests, end: "all" };
}

/** The final response to a GET in `bytes`; null when refused, unfinished, or not the final one. */
export function understandResponse(bytes: Buffer): SentResponse | null {
  const head = new ResponseHead();
  head.reset(METHOD.get, false);
  const start = head.parse(bytes, 0, bytes.length);
  if (start < 0 || head.interim) return null;
  const body = bodyOf(head, bytes, start);
  if (body === "incomplete" || "status" in body) return null;
  const sent = Buffer.from(responseBytes(head, null));
  const again = new ResponseHead();
  again.reset(METHOD.get, false);
  again.parse(sent, 0, sent.length);
  const fields = fieldsIn(again.fields, sent);
  return {
    status: head.status,
    fields,
    body: body.content,
    bytes: Buffer.concat([sent, body.raw]),
  };
}

interface ReadBody {
  readonly content: string;
  readonly raw: Buffer;
  readonly end: number;
}

function bodyOf(
  head: { readonly bodyKind: BodyKind; readonly contentLength: number },
  bytes: Buffer,
  start: number,
): ReadBody | "incomplete" | Refusal {
  const until = (end: number): ReadBody => {
    const raw = bytes.subarray(start, end);
    return { content: raw.toString("latin1"), raw, end };
  };
  switch (head.bodyKind) {
    case BODY.none:
      return until(start);
    case BODY.close:
      return until(bytes.length);
    case BODY.length: {
      const end = start + head.contentLength;
      return end > bytes.length ? "incomplete" : until(end);
    }
    case BODY.chunked: {
      const scanner = new ChunkedScanner();
      const count = scanner.consume(bytes, start, bytes.length);
      if (count < 0) return refusalOf(count);
      if (!scanner.done) return "incomplete";
      const { raw, end } = until(start + count);
      const content = unchunked(raw.toString("latin1"));
      if (content.length !== scanner.contentBytes) throw new Error("Content was counted wrongly");
      return { content, raw, end };
    }
    default:
      return head.bodyKind satisfies never;
  }
}

function sentRequest(head: RequestHead, body: ReadBody): SentRequest {
  const sent = Buffer.from(requestBytes(head, null));
  const again = new RequestHead();
  again.parse(sent, 0, sent.length);
  const { targetStart, targetEnd } = again.line;
  return {
    method: head.methodText,
    target: sent.toString("latin1", targetStart, targetEnd),
    fields: fieldsIn(again.fields, sent),
    body: body.content,
    bytes: Buffer.concat([sent, body.raw]),
  };
}

function fieldsIn(fields: FieldIndex, bytes: Buffer): readonly string[] {
  const texts: string[] = [];
  for (let field = 0; field < fields.count; field += 1) {
    const slot = field * FIELD_STRIDE;
    const text = (at: number): string =>
      bytes.toString("latin1", fields.offsets[slot + at], fields.offsets[slot + at + 1]);
    texts.push(text(0), text(2));
  }
  return texts;
}

/** Content of a chunked body that is known to be well formed. */
export function unchunked(text: string): string {
  let rest = text;
  let content = "";
  for (;;) {
    const lineEnd = rest.indexOf("\r\n");
    const size = Number.parseInt(rest, 16);
    if (size === 0) return content;
    content += rest.slice(lineEnd + 2, lineEnd + 2 + size);
    rest = rest.slice(lineEnd + 2 + size + 2);
  }
}
