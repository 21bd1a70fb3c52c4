// Generators of HTTP/1 messages for properties: mostly valid, with the parts that attacks are made of.
import * as fc from "fast-check";

const token = fc.stringMatching(/^[A-Za-z0-9-]{1,10}$/);
const value = fc.stringMatching(/^[\t -~\u0080-\u00ff]{0,24}$/);

const segment = fc.constantFrom(
  "a",
  "b.c",
  ".",
  "..",
  "",
  "%2e",
  "%41",
  "%2F",
  "a;b",
  "..;",
  "%25",
  "*",
);
const path = fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join("/")}`);
const target = fc.oneof(
  { weight: 6, arbitrary: path },
  { weight: 2, arbitrary: fc.tuple(path, value.filter(isQuery)).map((parts) => parts.join("?")) },
  fc.constantFrom("*", "http://b/x", "http://c/", "b:80", "/a#b", "/\\"),
);

const knownField = fc.constantFrom(
  "Content-Length: 5",
  "Content-Length: 0",
  "content-length:  7 ",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Connection: close",
  "Connection: keep-alive",
  "Connection: Upgrade",
  "Connection: x-a, keep-alive",
  "Upgrade: websocket",
  "Upgrade: h2c",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Expect: 100-continue",
  "TE: trailers",
  "Keep-Alive: timeout=5",
  "x-signet-peer: x",
  "X_Forwarded_Client_Cert: x",
  "X-A: 1",
  "Host: c",
  "Content-Length : 5",
  " folded",
  "nothing",
);
const plainField = fc
  .tuple(token, fc.constantFrom(":", ": ", ":\t "), value)
  .map((parts) => parts.join(""));
const method = fc.constantFrom(
  "GET",
  "GET",
  "POST",
  "PUT",
  "HEAD",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "TRACE",
  "PURGE",
);
const version = fc.constantFrom(
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/2.0",
  "http/1.1",
);

function isQuery(text: string): boolean {
  return /^[!-"$-[\]-~]*$/.test(text);
}

/** Heads of requests; more of them valid than not. */
export const arbitraryRequest: fc.Arbitrary<string> = fc
  .tuple(
    method,
    target,
    version,
    fc.constantFrom("Host: b", "Host: b", "host: B.:80", "Host: u@b"),
    fc.array(fc.oneof(plainField, knownField), { maxLength: 6 }),
  )
  .map(([verb, where, protocol, host, fields]) =>
    [`${verb} ${where} ${protocol}`, host, ...fields, "", ""].join("\r\n"),
  );

/** Heads of responses. */
export const arbitraryResponse: fc.Arbitrary<string> = fc
  .tuple(
    version,
    fc.constantFrom(
      "200 OK",
      "204 No Content",
      "304 ",
      "100 Continue",
      "101 Switching",
      "404",
      "99 x",
    ),
    fc.array(fc.oneof(plainField, knownField, fc.constantFrom("Server: x", "server: signet")), {
      maxLength: 6,
    }),
  )
  .map(([protocol, status, fields]) => [`${protocol} ${status}`, ...fields, "", ""].join("\r\n"));

/** Chunked bodies; more of them valid than not. */
export const arbitraryChunked: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(
      fc.tuple(
        fc.stringMatching(/^[ -~]{1,20}$/),
        fc.constantFrom("", "", ";a", ";a=b", ";\t", " "),
      ),
      { maxLength: 4 },
    ),
    fc.array(fc.constantFrom("X-A: b", "Server-Timing: c", "Host: d", "X-B:"), { maxLength: 2 }),
  )
  .map(([chunks, trailers]) => {
    const body = chunks.map(
      ([data, extension]) => `${data.length.toString(16)}${extension}\r\n${data}\r\n`,
    );
    return [...body, "0\r\n", ...trailers.map((trailer) => `${trailer}\r\n`), "\r\n"].join("");
  });

/** Where to cut, as parts of the whole, in rising order. */
export const arbitraryCuts: fc.Arbitrary<readonly number[]> = fc
  .array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 })
  .map((cuts) => cuts.sort((a, b) => a - b));

const oddText = fc.constantFrom(
  "\r",
  "\n",
  "\r\n",
  " ",
  "\t",
  "\0",
  ":",
  ",",
  ";",
  "%",
  "\u00ff",
  "0",
  "chunked",
);

/** Text with a few bytes put in, taken out, or taken twice. */
export function mutated(source: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.tuple(fc.nat(), fc.constantFrom("insert", "remove", "repeat", "case"), oddText);
  return fc
    .tuple(source, fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([text, changes]) => {
      let result = text;
      for (const [position, kind, odd] of changes) {
        const at = position % (result.length + 1);
        const before = result.slice(0, at);
        const after = result.slice(at);
        if (kind === "insert") result = before + odd + after;
        else if (kind === "remove") result = before + after.slice(1);
        else if (kind === "repeat") result = before + after.slice(0, 9) + after;
        else result = before + after.slice(0, 1).toUpperCase() + after.slice(1);
      }
      return result;
    });
}
