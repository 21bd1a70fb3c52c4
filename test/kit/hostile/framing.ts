// Where does a body end? Messages of which two recipients could give two answers (attack 42), and those
// that hide a request in a body, of which there must be one answer.
import { casesOf, chunk, chunked, get, lastChunk, length, post, smuggled } from "./case.ts";
import type { HostileCase, Row } from "./case.ts";

const inChunk = chunk(smuggled) + lastChunk;
const prefix = "GET /marker HTTP/1.1\r\nX: ";

const bothLengths: readonly Row[] = [
  ["CL.TE", post("Content-Length: 6", chunked) + lastChunk + prefix],
  [
    "CL.TE, all of it in the length",
    post(length(lastChunk + smuggled), chunked) + lastChunk + smuggled,
  ],
  ["CL.TE, TE first", post(chunked, length(lastChunk + smuggled)) + lastChunk + smuggled],
  ["TE.CL", post("Content-Length: 4", chunked) + inChunk],
  ["TE.CL, length of nothing", post("Content-Length: 0", chunked) + inChunk],
  ["TE.CL, TE first", post(chunked, "Content-Length: 4") + inChunk],
  ["TE.TE, unknown one first", post("Transfer-Encoding: xchunked", chunked) + inChunk],
  ["TE.TE, unknown one last", post(chunked, "Transfer-Encoding: x") + inChunk],
  ["TE.TE, identity last", post(chunked, "Transfer-Encoding: identity") + inChunk],
  ["TE.TE, twice the same", post(chunked, chunked) + inChunk],
  ["TE.0", `OPTIONS /sent HTTP/1.1\r\nHost: b\r\n${chunked}\r\n\r\n${chunk(smuggled)}0\r\nX: `],
  ["CL with an underscore", post(`Content_Length: ${smuggled.length}`) + smuggled],
  ["TE with an underscore", post("Transfer_Encoding: chunked", "Content-Length: 4") + inChunk],
  [
    "CL and CL with an underscore",
    post("Content-Length: 0", `content_length: ${smuggled.length}`) + smuggled,
  ],
  ["TE on HTTP/1.0", post(chunked).replace("1.1", "1.0") + inChunk],
  [
    "TE on HTTP/1.0, kept alive",
    post("Connection: keep-alive", chunked).replace("1.1", "1.0") + inChunk,
  ],
];

// Each stands alone and after a length: some take what they do not know for no coding at all.
const codings: readonly (readonly [string, string])[] = [
  ["prefix", "Transfer-Encoding: xchunked"],
  ["suffix", "Transfer-Encoding: chunkedx"],
  ["identity", "Transfer-Encoding: identity"],
  ["chunked, identity", "Transfer-Encoding: chunked, identity"],
  ["identity, chunked", "Transfer-Encoding: identity, chunked"],
  ["gzip, chunked", "Transfer-Encoding: gzip, chunked"],
  ["chunked, chunked", "Transfer-Encoding: chunked, chunked"],
  ["comma after", "Transfer-Encoding: chunked,"],
  ["comma before", "Transfer-Encoding: ,chunked"],
  ["quoted", 'Transfer-Encoding: "chunked"'],
  ["single quotes", "Transfer-Encoding: 'chunked'"],
  ["parameter", "Transfer-Encoding: chunked;x=1"],
  ["empty", "Transfer-Encoding:"],
  ["blank", "Transfer-Encoding: \t"],
  ["vertical tab", "Transfer-Encoding:\vchunked"],
  ["vertical tab after", "Transfer-Encoding: chunked\v"],
  ["form feed", "Transfer-Encoding: \fchunked"],
  ["NUL", "Transfer-Encoding: chunked\0"],
  ["non-breaking blank", "Transfer-Encoding: \u00a0chunked"],
  ["high byte", "Transfer-Encoding: chunk\u00e9d"],
  ["blank before the colon", "Transfer-Encoding : chunked"],
  ["tab before the colon", "Transfer-Encoding\t: chunked"],
  ["blank before the name", " Transfer-Encoding: chunked"],
  ["folded", "Transfer-Encoding:\r\n chunked"],
  ["folded by a tab", "Transfer-Encoding: x\r\n\tchunked"],
  ["behind a bare LF", "X: y\nTransfer-Encoding: chunked"],
  ["behind a bare CR", "X: y\rTransfer-Encoding: chunked"],
  ["name cut by a bare LF", "Transfer-\nEncoding: chunked"],
  ["CR in the value", "Transfer-Encoding: chunk\red"],
  ["no colon", "Transfer-Encoding chunked"],
];

const lengths: readonly (readonly [string, ...string[]])[] = [
  ["plus", "Content-Length: +5"],
  ["minus", "Content-Length: -5"],
  ["minus nothing", "Content-Length: -0"],
  ["hexadecimal", "Content-Length: 0x5"],
  ["hexadecimal digits", "Content-Length: a"],
  ["octal", "Content-Length: 05"],
  ["underscore", "Content-Length: 1_0"],
  ["decimal", "Content-Length: 5.0"],
  ["exponent", "Content-Length: 5e0"],
  ["blank inside", "Content-Length: 5 0"],
  ["letter after", "Content-Length: 5a"],
  ["comma list", "Content-Length: 5, 5"],
  ["comma list that differs", "Content-Length: 0, 5"],
  ["comma after", "Content-Length: 5,"],
  ["empty", "Content-Length:"],
  ["quoted", 'Content-Length: "5"'],
  ["vertical tab", "Content-Length: \v5"],
  ["high digit", "Content-Length: \u00b2"],
  ["NUL", "Content-Length: 5\0"],
  ["of 2^64", "Content-Length: 18446744073709551616"],
  ["of 2^64 and 5", "Content-Length: 18446744073709551621"],
  ["of 2^53", "Content-Length: 9007199254740992"],
  ["twice the same", "Content-Length: 5", "Content-Length: 5"],
  ["twice", "Content-Length: 0", "Content-Length: 5"],
  ["twice, in another case", "Content-Length: 5", "content-length: 0"],
  ["blank before the colon", "Content-Length : 5"],
  ["tab before the colon", "Content-Length\t: 5"],
  ["folded", "Content-Length:\r\n 5"],
  ["folded over", "Content-Length: 5\r\n 0"],
  ["behind a bare LF", "X: y\nContent-Length: 5"],
  ["behind a bare CR", "X: y\rContent-Length: 5"],
  ["LF alone ends it", "Content-Length: 5\nX: y"],
];

const hidden: readonly Row[] = [
  ["CL.0: a request in the body", post(length(smuggled)) + smuggled, 1],
  ["0.CL: GET with a body", get(length(smuggled)) + smuggled, 1],
  ["GET with a chunked body", get(chunked) + inChunk, 1],
  ["HEAD with a body", get(length(smuggled)).replace("GET", "HEAD") + smuggled, 1],
  ["DELETE with a body", get(length(smuggled)).replace("GET", "DELETE") + smuggled, 1],
  ["OPTIONS with a body", get(length(smuggled)).replace("GET", "OPTIONS") + smuggled, 1],
  ["an unknown method with a body", get(length(smuggled)).replace("GET", "SEARCH") + smuggled, 1],
  ["HTTP/1.0 with a body", post(length(smuggled)).replace("1.1", "1.0") + smuggled, 1],
  ["after HTTP/1.0", get().replace("1.1", "1.0") + smuggled, 1],
  ["after close", get("Connection: close") + smuggled, 1],
  ["after close among others", get("Connection: x, CLOSE") + smuggled, 1],
  [
    "after a length of nothing and close",
    post("Content-Length: 0", "Connection: close") + smuggled,
    1,
  ],
  ["a request in a chunk", post(chunked) + inChunk, 1],
  ["TE in other letters", post("tRANSFER-eNCODING: cHUNKED") + inChunk, 1],
  ["blanks around TE", post("Transfer-Encoding: \t chunked \t ") + inChunk, 1],
  ["blanks around CL", post(`Content-Length: \t ${smuggled.length} \t`) + smuggled, 1],
  ["Expect, body at once", post(length(smuggled), "Expect: 100-continue") + smuggled, 1],
  ["Expect on GET, body at once", get(length(smuggled), "Expect: 100-continue") + smuggled, 1],
  ["Expect, chunked body at once", post(chunked, "Expect: 100-continue") + inChunk, 1],
  ["Expect without a body", get("Expect: 100-continue", "Connection: close") + smuggled, 1],
  ["Expect in other letters", post(length(smuggled), "Expect: 100-Continue") + smuggled, 1],
  ["Expect of something else", post(length(smuggled), "Expect: y 100-continue") + smuggled],
  [
    "Expect twice",
    post(length(smuggled), "Expect: 100-continue", "Expect: 100-continue") + smuggled,
  ],
  [
    "Expect with a length that never comes",
    post("Content-Length: 5000", "Expect: 100-continue") + smuggled,
  ],
  ["a length that never comes", post("Content-Length: 5000") + smuggled],
  ["a chunk that never comes", `${post(chunked)}1388\r\n${smuggled}`],
];

export const framing: readonly HostileCase[] = casesOf(42, [
  ...bothLengths.map(([name, bytes]): Row => [name, bytes + smuggled]),
  ...codings.flatMap(([name, line]): readonly Row[] => [
    [`coding: ${name}`, post(line) + inChunk + smuggled],
    [`coding beside a length: ${name}`, post("Content-Length: 4", line) + inChunk + smuggled],
    [`coding beside chunked: ${name}`, post(chunked, line) + inChunk + smuggled],
  ]),
  ...lengths.map(([name, ...lines]): Row => [
    `length: ${name}`,
    `${post(...lines)}hello${smuggled}`,
  ]),
  ...hidden,
]);
