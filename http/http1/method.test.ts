import test from "ava";
import { METHOD, isIdempotent, methodName, methodOf } from "./method.ts";

const codeOf = (text: string): number => methodOf(Buffer.from(`..${text} `), 2, 2 + text.length);

for (const code of Object.values(METHOD)) {
  if (code === METHOD.other) continue;
  test(`method ${methodName(code)} is known by its bytes`, (t) => {
    t.is(codeOf(methodName(code)), code);
  });
}

for (const text of ["get", "GE", "GETT", "PURGE", "PUTS", "POS", "PATCX", "X", ""]) {
  test(`method "${text}" is none of the known ones`, (t) => {
    t.is(codeOf(text), METHOD.other);
  });
}

test("method of HTTP that may be repeated", (t) => {
  const repeatable = Object.values(METHOD).filter(isIdempotent).map(methodName);
  t.deepEqual(repeatable, ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);
});
