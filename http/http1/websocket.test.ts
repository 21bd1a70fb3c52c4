import test from "ava";
import { bytesOf } from "#/test/kit/vectors.ts";
import { METHOD } from "./method.ts";
import { RequestHead } from "./request-head.ts";
import { ResponseHead } from "./response-head.ts";
import { acceptsWebsocket, websocketAccept } from "./websocket.ts";

/** The key and the answer of RFC 6455 section 1.3. */
const asked = "GET / HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const answer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

function accepted(...fields: readonly string[]): boolean {
  const request = new RequestHead();
  const bytes = bytesOf(`${asked}${key}\r\n`);
  request.parse(bytes, 0, bytes.length);
  const response = new ResponseHead();
  response.reset(METHOD.get, request.websocket);
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  const switching = bytesOf(`${[...lines, ...fields].join("\r\n")}\r\n\r\n`);
  response.parse(switching, 0, switching.length);
  return acceptsWebsocket(response, websocketAccept(request));
}

test("websocket switch with the right answer is accepted", (t) => {
  t.true(accepted(`Sec-WebSocket-Accept: ${answer}`));
});

for (const [name, fields] of Object.entries({
  "no answer": [],
  "an empty answer": ["Sec-WebSocket-Accept:"],
  "another answer": ["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp="],
  "the key itself": ["Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ=="],
  "two answers": [`Sec-WebSocket-Accept: ${answer}`, `Sec-WebSocket-Accept: ${answer}`],
  "other case": [`Sec-WebSocket-Accept: ${answer.toLowerCase()}`],
})) {
  test(`attack-45 websocket switch with ${name} is refused`, (t) => {
    t.false(accepted(...fields));
  });
}

test("attack-45 websocket is not accepted when the application refuses the upgrade", (t) => {
  const response = new ResponseHead();
  response.reset(METHOD.get, true);
  const refusal = bytesOf(`HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`);
  response.parse(refusal, 0, refusal.length);
  t.false(response.switching);
  t.false(acceptsWebsocket(response, answer));
});
