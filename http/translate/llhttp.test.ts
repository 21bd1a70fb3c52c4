// Requests that came over HTTP/2 as Node's own server reads them in HTTP/1 (llhttp), strict and lenient: one request,
// which ends where ours ends. Applications read as they like; what we write must leave them no choice.
import { METHODS, createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Duplex } from "node:stream";
import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { arbitraryRequest } from "#/test/kit/http1-arbitrary.ts";
import { oddRequest } from "#/test/kit/http2-fields-arbitrary.ts";
import { fieldsWritten, judgedRequest, requestOf } from "#/test/kit/translated.ts";
import { BODY } from "../http1/framing.ts";
import { KIND } from "../http2/field-kind.ts";
import { LAST_CHUNK, chunkOf } from "./chunk.ts";
import { LineCache } from "./line-cache.ts";
import { encodeRequest, requestRefusal } from "./request-block.ts";
import { requestBody, requestHead1 } from "./request-head.ts";

/** A connection without a network: what is pushed is what the server reads. */
class Wire extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
}

/** What comes behind a message: where it is read as a request, the message has ended. */
const NEXT = "GET /next HTTP/1.1\r\nHost: next\r\n\r\n";
const CONTENT = "POST /inner HTTP/1.1\r\nHost: b\r\n\r\n";

/** Methods, targets and bodies of the requests that `server` reads, or the code of its error. */
function requestsIn(server: Server, bytes: Buffer): Promise<readonly string[] | string> {
  const wire = new Wire();
  return new Promise((resolve) => {
    const read: string[] = [];
    const settle = (outcome: readonly string[] | string): void => {
      server.removeAllListeners("request").removeAllListeners("clientError");
      server.removeAllListeners("checkContinue").removeAllListeners("upgrade");
      wire.destroy();
      resolve(outcome);
    };
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      const { method = "", url = "" } = request;
      let body = "";
      request.on("data", (part: Buffer) => (body += part.toString("latin1")));
      request.on("end", () => {
        response.end();
        if (url === "/next") settle(read);
        else read.push(`${method} ${url} ${body}`);
      });
    };
    server.on("request", onRequest);
    server.on("checkContinue", onRequest);
    server.on("upgrade", () => settle("upgrade"));
    server.on("clientError", (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    wire.on("close", () => settle("closed"));
    server.emit("connection", wire);
    wire.push(Buffer.concat([bytes, Buffer.from(NEXT, "latin1")]));
  });
}

/** A strict one and a lenient one. */
const serversOf = (): Server[] =>
  [false, true].map((insecureHTTPParser) => createServer({ insecureHTTPParser }));

type Fields = Parameters<typeof judgedRequest>[0];

/** Whether there was something to read; what is wrong with how it was read. */
async function judge(
  servers: readonly Server[],
  fields: Fields,
  last: boolean,
): Promise<{ sent: boolean; fault: string }> {
  const request = judgedRequest(fields, last);
  if (typeof request === "string" || !METHODS.includes(request.methodText)) {
    return { sent: false, fault: "" };
  }
  const body = requestBody(request, last);
  const head = requestHead1(request, body, null);
  if (typeof head === "number" || request.contentLength > 100) return { sent: false, fault: "" };
  const content = Buffer.from(
    CONTENT.padEnd(100, "x").slice(0, Math.max(request.contentLength, 0)),
  );
  const framed = body === BODY.chunked ? [chunkOf(Buffer.from(CONTENT)), LAST_CHUNK] : [content];
  const bytes = Buffer.concat([head, ...framed]);
  const path = request.newPath ?? request.fields.valueText(request.fields.first[KIND.path]!);
  const said = body === BODY.chunked ? CONTENT : content.toString("latin1");
  const expected = [`${request.methodText} ${path.toString()} ${said}`];
  for (const server of servers) {
    const read = await requestsIn(server, bytes);
    if (JSON.stringify(read) === JSON.stringify(expected)) continue;
    return { sent: true, fault: JSON.stringify({ bytes: bytes.toString("latin1"), read }) };
  }
  return { sent: true, fault: "" };
}

test("attack-42 llhttp property: of odd fields it reads one request, or none was sent", async (t) => {
  const servers = serversOf();
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(oddRequest, fc.boolean(), async (fields, last) => {
      const outcome = await judge(servers, fields, last);
      t.is(outcome.fault, "");
      if (outcome.sent) sent += 1;
    }),
    fuzzOptions(t, 2000),
  );
  t.true(sent > 20, `${sent} were sent`);
});

test("attack-42 llhttp property: of requests through HTTP/2 and back it reads one", async (t) => {
  const servers = serversOf();
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(arbitraryRequest, async (text) => {
      const head = requestOf(text);
      if (head === null || requestRefusal(head, []) !== 0) return;
      const fields = fieldsWritten((encoder) => encodeRequest(encoder, new LineCache(), head, []));
      const outcome = await judge(servers, fields, head.bodyKind === BODY.none);
      t.is(outcome.fault, "");
      if (outcome.sent) sent += 1;
    }),
    fuzzOptions(t, 1000),
  );
  t.true(sent > 100, `${sent} were sent`);
});
