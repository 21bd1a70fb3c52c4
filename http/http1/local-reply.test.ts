import test from "ava";
import { CONTINUE, localReply } from "./local-reply.ts";
import type { LocalStatus } from "./local-reply.ts";
import { METHOD } from "./method.ts";
import { refusalOf } from "./refusal.ts";
import { ResponseHead } from "./response-head.ts";

const statuses: readonly LocalStatus[] = [
  400, 403, 404, 408, 413, 414, 417, 421, 429, 431, 500, 501, 502, 503, 504, 505,
];

for (const status of statuses) {
  test(`local reply ${status} is one whole response that says who answered`, (t) => {
    for (const toHead of [true, false]) {
      for (const close of [true, false]) {
        const bytes = localReply(status, toHead, close);
        const head = new ResponseHead();
        head.reset(toHead ? METHOD.head : METHOD.get, false);
        const end = head.parse(bytes, 0, bytes.length);
        t.is(head.status, status);
        t.is(end + head.contentLength, bytes.length);
        t.is(head.keepAlive, !close);
        t.true(bytes.toString("latin1").includes("\r\nserver: signet\r\n"));
      }
    }
  });
}

test("local reply gives no reason away", (t) => {
  const text = localReply(400, false, true).toString("latin1");
  for (let code = -2; ; code -= 1) {
    try {
      t.false(text.includes(refusalOf(code).reason));
    } catch {
      t.true(code < -40);
      break;
    }
  }
});

test("local reply exists for each status a refused request is answered with", (t) => {
  for (let code = -2; code > -43; code -= 1)
    t.notThrows(() => localReply(refusalOf(code).status, false, true));
  t.throws(() => refusalOf(-1), { message: 'Cannot explain refusal code "-1"' });
  t.throws(() => refusalOf(-1000), { message: 'Cannot explain refusal code "-1000"' });
});

test("continue is an interim response", (t) => {
  const head = new ResponseHead();
  head.reset(METHOD.post, false);
  t.is(head.parse(CONTINUE, 0, CONTINUE.length), CONTINUE.length);
  t.true(head.interim);
});
