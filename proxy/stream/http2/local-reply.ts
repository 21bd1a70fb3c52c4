// Answers that the sidecar gives itself, over HTTP/2.
import { localReplyText } from "#/http/http1/local-reply.ts";
import type { LocalStatus } from "#/http/http1/local-reply.ts";
import { fieldLine } from "#/http/http2/field-line.ts";
import type { FieldLine } from "#/http/http2/field-line.ts";
import type { Http2Stream } from "#/http/http2/stream.ts";
import { putStatus } from "#/http/translate/response-block.ts";

const contentType = fieldLine("content-type", "text/plain");

interface Reply {
  readonly length: FieldLine;
  readonly content: Buffer;
}

const replies = new Map<LocalStatus, Reply>();

/** Sends the whole answer; `toHead`: without its content. False: too late. */
export function sendLocalReply(stream: Http2Stream, status: LocalStatus, toHead: boolean): boolean {
  let reply = replies.get(status);
  if (reply === undefined) {
    const content = Buffer.from(localReplyText(status), "latin1");
    reply = { length: fieldLine("content-length", String(content.length)), content };
    replies.set(status, reply);
  }
  const encoder = stream.openHead();
  if (encoder === null) return false;
  putStatus(encoder, status);
  encoder.line(contentType);
  encoder.line(reply.length);
  stream.respond(toHead);
  if (!toHead) stream.send(reply.content, true);
  return true;
}
