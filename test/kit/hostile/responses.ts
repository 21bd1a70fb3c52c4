// What an application in an enemy's hands may answer (attacks 42, 43, 45): to have one caller read two
// answers, or to leave an answer behind for whoever comes next on the connection.

export interface HostileResponse {
  readonly name: string;
  readonly attack: number;
  readonly bytes: string;
  readonly method?: "HEAD" | "POST";
  /** What the caller gets: the status of the one answer. 502: it is not passed on. */
  readonly status: number;
  /** Body of that answer when it is passed on. */
  readonly body?: string;
}

/** The answer that nobody may ever be given. */
export const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

const ok = (...fields: readonly string[]): string =>
  ["HTTP/1.1 200 OK", ...fields, "", ""].join("\r\n");

const refused: readonly (readonly [string, string])[] = [
  [
    "length and coding",
    `${ok("Content-Length: 5", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n\r\n`,
  ],
  [
    "coding and length",
    `${ok("Transfer-Encoding: chunked", "Content-Length: 0")}5\r\nhello\r\n0\r\n\r\n`,
  ],
  ["two lengths", `${ok("Content-Length: 5", "Content-Length: 0")}hello`],
  ["a list of lengths", `${ok("Content-Length: 5, 5")}hello`],
  ["a length with a sign", `${ok("Content-Length: +5")}hello`],
  ["a length in hexadecimal", `${ok("Content-Length: 0x5")}hello`],
  ["an underscore in the length's name", `${ok("Content_Length: 5")}hello`],
  ["a coding that is none", `${ok("Transfer-Encoding: xchunked")}5\r\nhello\r\n0\r\n\r\n`],
  ["chunked, identity", `${ok("Transfer-Encoding: chunked, identity")}5\r\nhello\r\n0\r\n\r\n`],
  [
    "two codings",
    `${ok("Transfer-Encoding: chunked", "Transfer-Encoding: x")}5\r\nhello\r\n0\r\n\r\n`,
  ],
  [
    "chunked on HTTP/1.0",
    `${ok("Transfer-Encoding: chunked").replace("1.1", "1.0")}5\r\nhello\r\n0\r\n\r\n`,
  ],
  ["bare LF everywhere", `${ok("Content-Length: 5").replaceAll("\r\n", "\n")}hello`],
  ["bare LF after a field", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 5\r\n\r\nhello"],
  ["bare CR in a field", "HTTP/1.1 200 OK\r\nA: b\rContent-Length: 5\r\n\r\nhello"],
  ["a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 5\r\n\r\nhello"],
  ["blank before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello"],
  ["NUL in a field", "HTTP/1.1 200 OK\r\nA: b\0\r\nContent-Length: 5\r\n\r\nhello"],
  ["a field without a colon", "HTTP/1.1 200 OK\r\nSet-Cookie\r\nContent-Length: 5\r\n\r\nhello"],
  ["no status", "HTTP/1.1 OK\r\nContent-Length: 5\r\n\r\nhello"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello"],
  ["a status with a sign", "HTTP/1.1 +20 OK\r\nContent-Length: 5\r\n\r\nhello"],
  ["HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
  ["no protocol", "hello"],
  ["ICY", "ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
  ["a blank first", " HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
  ["an empty line first", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
  [
    "101 that nobody asked for",
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n${poison}`,
  ],
  [
    "101 to h2c",
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n${poison}`,
  ],
  [
    "100 with a length",
    `HTTP/1.1 100 Continue\r\nContent-Length: ${poison.length}\r\n\r\n${poison}`,
  ],
  ["103 with chunks", `HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n${poison}`],
  ["204 with a length", `HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello`],
  [
    "204 with chunks",
    "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  ],
  ["Connection names the length", `${ok("Connection: content-length", "Content-Length: 5")}hello`],
];

/** A second answer behind a whole one: it is never anybody's. */
const unasked: readonly (readonly [string, string, string])[] = [
  ["after a length", `${ok("Content-Length: 5")}hello`, "hello"],
  ["after chunks", `${ok("Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n\r\n`, "hello"],
  ["after a length of nothing", ok("Content-Length: 0"), ""],
  ["after a trailer", `${ok("Transfer-Encoding: chunked")}0\r\nX-A: b\r\n\r\n`, ""],
  [
    "after interim answers",
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok("Content-Length: 5")}hello`,
    "hello",
  ],
  ["after blanks around the length", `${ok("Content-Length: \t5 \t")}hello`, "hello"],
];

const cut: readonly (readonly [string, string])[] = [
  [
    "a chunk size in hexadecimal with 0x",
    `${ok("Transfer-Encoding: chunked")}0x5\r\nhello\r\n0\r\n\r\n`,
  ],
  ["a chunk without its line end", `${ok("Transfer-Encoding: chunked")}5\r\nhello0\r\n\r\n`],
  ["a bare LF in a chunk extension", `${ok("Transfer-Encoding: chunked")}5;\nhello\r\n0\r\n\r\n`],
  ["a trailer that frames", `${ok("Transfer-Encoding: chunked")}0\r\nContent-Length: 5\r\n\r\n`],
  [
    "a trailer that sets a cookie",
    `${ok("Transfer-Encoding: chunked")}0\r\nSet-Cookie: a=b\r\n\r\n`,
  ],
];

export const responses: readonly HostileResponse[] = [
  ...refused.map(([name, bytes]) => ({ name, attack: 42, bytes: bytes + poison, status: 502 })),
  ...cut.map(([name, bytes]) => ({ name, attack: 43, bytes: bytes + poison, status: 502 })),
  ...unasked.map(([name, bytes, body]) => ({
    name: `an answer unasked for ${name}`,
    attack: 42,
    bytes: bytes + poison,
    status: 200,
    body,
  })),
  {
    name: "HEAD with a body",
    attack: 42,
    method: "HEAD",
    bytes: ok(`Content-Length: ${poison.length}`) + poison,
    status: 200,
    body: "",
  },
  {
    name: "HEAD with chunks",
    attack: 42,
    method: "HEAD",
    bytes: `${ok("Transfer-Encoding: chunked")}${poison.length.toString(16)}\r\n${poison}\r\n0\r\n\r\n`,
    status: 200,
    body: "",
  },
  {
    name: "204 with a body",
    attack: 42,
    bytes: `HTTP/1.1 204 No Content\r\n\r\n${poison}`,
    status: 204,
    body: "",
  },
  {
    name: "304 with a body",
    attack: 42,
    bytes: `HTTP/1.1 304 Not Modified\r\nContent-Length: ${poison.length}\r\n\r\n${poison}`,
    status: 304,
    body: "",
  },
  {
    name: "an answer before the body is read",
    attack: 42,
    method: "POST",
    bytes: `${ok("Content-Length: 5")}hello${poison}`,
    status: 200,
    body: "hello",
  },
];
