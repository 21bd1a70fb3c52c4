import test from "ava";
import { answerLength } from "./answer.ts";

const answer = Buffer.from("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello");

test("answerLength counts head and body", (t) => {
  t.deepEqual(answerLength(answer), { status: 200, length: answer.length });
});

test("answerLength asks for more until the head is whole, wherever it is cut", (t) => {
  const headEnd = answer.length - "hello".length;
  for (let cut = 0; cut < answer.length; cut += 1) {
    const expected = cut < headEnd ? null : { status: 200, length: answer.length };
    t.deepEqual(answerLength(answer.subarray(0, cut)), expected, `cut at ${cut}`);
  }
});

test("answerLength reads refusals and names in any case", (t) => {
  const refusal = Buffer.from("HTTP/1.1 503 No\r\ncontent-length:0\r\n\r\n");
  t.deepEqual(answerLength(refusal), { status: 503, length: refusal.length });
});

test("answerLength refuses an answer whose end it cannot know", (t) => {
  const chunked = Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  t.throws(() => answerLength(chunked), { message: "The answer has no Content-Length" });
});
