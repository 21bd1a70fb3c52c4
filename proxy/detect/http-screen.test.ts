// What passes the screen, and where it stops: the same however the bytes are cut.
import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { HttpScreen } from "./http-screen.ts";

const request =
  "PUT-IT /x HTTP/1.1\r\nx-forwarded-client-cert: URI=spiffe://cluster.local/admin\r\n\r\n";

/** What got through, cut at `cuts`. */
function passed(text: string, cuts: readonly number[]): string {
  const screen = new HttpScreen();
  let through = "";
  const ends = [...cuts.map((cut) => cut % text.length), text.length].toSorted((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    const piece = text.slice(from, end);
    if (piece === "") continue;
    if (!screen.pass(Buffer.from(piece, "latin1"))) return through;
    through += piece;
    from = end;
  }
  return through;
}

test("attack-36 HttpScreen lets no header of a request through, cut anywhere", (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 8 }), (cuts) => {
      const line = request.indexOf("\n") + 1;
      t.true(passed(request, cuts).length < line);
    }),
    fuzzOptions(t, 300),
  );
});

test("HttpScreen passes what is not HTTP, also when HTTP follows it", (t) => {
  for (const text of [
    "\u0000\u0001binary",
    "EHLO me\nGET / HTTP/1.1\r\n",
    "G",
    "GET",
    "\u0016\u0003\u0001",
  ]) {
    t.is(passed(text, [1, 2, 3]), text);
  }
});
