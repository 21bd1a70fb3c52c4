import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { messageText } from "./status.ts";

const rows: readonly [text: string, told: string][] = [
  ["Cannot serve: it took too long", "Cannot serve: it took too long"],
  ["100 %", "100 %25"],
  ["a\nb", "a%0Ab"],
  ["\t\ntest with whitespace\r\n", "%09%0Atest with whitespace%0D%0A"],
  ["é 😈", "%C3%A9 %F0%9F%98%88"],
  ["", ""],
];
for (const [text, told] of rows) {
  test(`messageText writes ${JSON.stringify(text)} in printable ASCII`, (t) => {
    t.is(messageText(text), told);
  });
}

test("messageText can be read back, whatever the text", (t) => {
  const holds = fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const told = messageText(text);
    return /^[ -~]*$/.test(told) && decodeURIComponent(told) === text;
  });
  fc.assert(holds, fuzzOptions(t, 300));
  t.pass();
});
