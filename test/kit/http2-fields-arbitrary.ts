// Generators of HTTP/2 fields for properties, with the parts that smuggling through HTTP/1 is made of.
import * as fc from "fast-check";
import type { Field } from "./header-fields.ts";

const odd = fc.constantFrom(
  "\r\n",
  "\n",
  "\r",
  "\0",
  ":",
  " ",
  "\t",
  ",",
  "a",
  "5",
  "Z",
  "_",
  "\u00e9",
);
const known = fc.constantFrom(
  "content-length",
  "transfer-encoding",
  "chunked",
  "host",
  "GET / HTTP/1.1\r\nhost: b\r\n\r\n",
  "HTTP/1.1 200 OK\r\n\r\n",
  "connection",
  "100-continue",
  "expect",
  "cookie",
  "x-a",
  "trailers",
  "te",
);
const part = fc.oneof(odd, known, fc.string({ unit: "binary-ascii", maxLength: 4 }));
const oddText = fc.array(part, { maxLength: 3 }).map((parts) => parts.join(""));
const field: fc.Arbitrary<Field> = fc.tuple(fc.oneof(known, oddText), oddText);
const orOdd = (...values: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...values) }, oddText);

/** Heads of requests: four pseudo-header fields and up to four more, more bad than good. */
export const oddRequest: fc.Arbitrary<Field[]> = fc
  .tuple(
    orOdd("GET", "POST", "OPTIONS", "PRI"),
    orOdd("/", "/a?b", "*", "/../a", "/%41", "//b"),
    orOdd("b", "B.:80", "[::1]", "b@c"),
    fc.array(field, { maxLength: 4 }),
  )
  .map(([method, path, authority, more]) => {
    const start: Field[] = [
      [":method", method],
      [":scheme", "http"],
      [":path", path],
      [":authority", authority],
    ];
    return start.concat(more);
  });

/** Heads of responses. */
export const oddResponse: fc.Arbitrary<Field[]> = fc
  .tuple(orOdd("200", "204", "304", "404", "103"), fc.array(field, { maxLength: 4 }))
  .map(([status, more]) => {
    const start: Field[] = [[":status", status]];
    return start.concat(more);
  });
