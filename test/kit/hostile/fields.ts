// Fields that claim an identity, or take one away; hosts of which there may be one (attacks 36, 37, 39).
import { casesOf, chunked, get, lastChunk, length, post, smuggled } from "./case.ts";
import type { HostileCase, Row } from "./case.ts";

const forged = "By=spiffe://cluster.local/ns/x/sa/x;URI=spiffe://cluster.local/ns/admin/sa/admin";

const names = [
  "x-forwarded-client-cert",
  "X-Forwarded-Client-Cert",
  "X-FORWARDED-CLIENT-CERT",
  "x_forwarded_client_cert",
  "X_Forwarded-Client_Cert",
  "x-forwarded_client-cert",
  "l5d-client-id",
  "L5D_CLIENT_ID",
  "x-signet-identity",
  "X_SIGNET_IDENTITY",
  "x-signet-",
];

const claims: readonly Row[] = names.flatMap((name): readonly Row[] => [
  [name, get(`${name}: ${forged}`), 1],
  [`${name} twice`, get(`${name}: ${forged}`, "X: y", `${name}: ${forged}`), 1],
  [`${name} with nothing in it`, get(`${name}:`), 1],
  [`${name} before a body`, `${post(`${name}: ${forged}`, length("hello"))}hello`, 1],
]);

const spellings: readonly Row[] = [
  ["blank before the colon", get(`x-forwarded-client-cert : ${forged}`) + smuggled],
  ["folded into another field", get("X: y", ` x-forwarded-client-cert: ${forged}`) + smuggled],
  ["behind a bare LF", get(`X: y\nx-forwarded-client-cert: ${forged}`) + smuggled],
  ["behind a bare CR", get(`X: y\rx-forwarded-client-cert: ${forged}`) + smuggled],
  ["NUL in the name", get(`x-forwarded-client-cert\0: ${forged}`) + smuggled],
  ["soft hyphen in the name", get(`x\u00adforwarded-client-cert: ${forged}`) + smuggled],
  [
    "in a trailer that is announced",
    post(chunked, "Trailer: x-forwarded-client-cert") +
      `0\r\nx-forwarded-client-cert: ${forged}\r\n\r\n`,
  ],
  [
    "as a request in a body",
    post(length(get(`x-forwarded-client-cert: ${forged}`))) +
      get(`x-forwarded-client-cert: ${forged}`),
    1,
  ],
];

/** Each is what the next hop decides by; to name it in Connection would have it taken out. */
const protectedNames = [
  "x-forwarded-client-cert",
  "X-Forwarded-Client-Cert",
  "x_forwarded_client_cert",
  "x-signet-identity",
  "host",
  "content-length",
  "Content-Length",
  "transfer-encoding",
  "authorization",
  "cookie",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-real-ip",
  "forwarded",
  "content-type",
  "cache-control",
  "expect",
  "trailer",
];

const nominated: readonly Row[] = [
  ...protectedNames.flatMap((name): readonly Row[] => [
    [`Connection: ${name}`, post(`Connection: ${name}`, length(smuggled)) + smuggled + smuggled],
    [
      `Connection: close, ${name}`,
      post(`Connection: close, ${name}`, length(smuggled)) + smuggled + smuggled,
    ],
    [
      `Connection twice, ${name}`,
      post("Connection: keep-alive", `Connection: ${name}`, length(smuggled)) + smuggled + smuggled,
    ],
    [`Connection: ${name}, chunked`, post(`Connection: ${name}`, chunked) + lastChunk + smuggled],
  ]),
  ["Connection: (a comment)", get("Connection: (x)") + smuggled],
  ["Connection in quotes", get('Connection: "close"') + smuggled],
  ["Connection: two words", get("Connection: close x") + smuggled],
  [
    "Connection names more than is allowed",
    get(`Connection: ${Array.from({ length: 40 }, (_, at) => `x${at}`).join(",")}`) + smuggled,
  ],
  ["Connection names another field", get("Connection: x-a, close", "X-A: b"), 1],
  ["Connection: commas alone", get("Connection: ,,,", "X-A: b"), 1],
  [
    "Proxy-Connection names the length",
    `${post("Proxy-Connection: content-length", length("hello"))}hello`,
    1,
  ],
  ["Keep-Alive", get("Keep-Alive: timeout=999, max=1000000"), 1],
];

const hostLines: readonly (readonly [string, readonly string[]])[] = [
  ["none", []],
  ["twice the same", ["Host: b", "Host: b"]],
  ["twice", ["Host: b", "Host: c"]],
  ["twice, in another case", ["Host: b", "hOST: c"]],
  ["empty", ["Host:"]],
  ["blank", ["Host: \t"]],
  ["a list", ["Host: b, c"]],
  ["two words", ["Host: b c"]],
  ["user information", ["Host: u@b"]],
  ["a path", ["Host: b/marker"]],
  ["a query", ["Host: b?marker"]],
  ["a fragment", ["Host: b#marker"]],
  ["a scheme", ["Host: http://b"]],
  ["an escape", ["Host: %62"]],
  ["no port after the colon", ["Host: b:"]],
  ["port 0", ["Host: b:0"]],
  ["port 65536", ["Host: b:65536"]],
  ["port of letters", ["Host: b:http"]],
  ["port with a sign", ["Host: b:+80"]],
  ["two ports", ["Host: b:80:90"]],
  ["an empty label", ["Host: b..c"]],
  ["a dot first", ["Host: .b"]],
  ["a bracket left open", ["Host: [::1"]],
  ["brackets around a name", ["Host: [b]"]],
  ["a zone", ["Host: [fe80::1%25eth0]"]],
  ["NUL", ["Host: b\0"]],
  ["high byte", ["Host: b\u00e9"]],
  ["backslash", ["Host: b\\c"]],
  ["folded", ["Host: b\r\n c"]],
  ["blank before the colon", ["Host : b"]],
  ["a blank before the name", [" Host: c", "Host: b"]],
  ["300 bytes", [`Host: ${"b".repeat(300)}`]],
];

const targets: readonly Row[] = [
  ["disagrees with Host", "GET http://c/sent HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["disagrees in the port", "GET http://b:81/sent HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["user information", "GET http://u@b/sent HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["user information that looks like the host", "GET http://b@c/sent HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["without a Host", "GET http://b/sent HTTP/1.1\r\n\r\n"],
  ["https", "GET https://b/sent HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["file", "GET file:///sent HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["no authority", "GET http:///sent HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["one slash", "GET http:/b/sent HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["backslashes", "GET http:\\\\b\\sent HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["a fragment", "GET http://b/sent#c HTTP/1.1\r\nHost: b\r\n\r\n"],
  ["agrees", "GET http://b/sent HTTP/1.1\r\nHost: b\r\n\r\n", 1],
  ["agrees in other letters", "GET HTTP://B/sent HTTP/1.1\r\nHost: b\r\n\r\n", 1],
  ["without a path", "GET http://b HTTP/1.1\r\nHost: b\r\n\r\n", 1],
  ["a query without a path", "GET http://b?x=y HTTP/1.1\r\nHost: b\r\n\r\n", 1],
  ["another in the path", "GET http://b/http://c/sent HTTP/1.1\r\nHost: b\r\n\r\n", 1],
];

export const fields: readonly HostileCase[] = [
  ...casesOf(
    36,
    [...claims, ...spellings].map(([name, bytes, passes = 0]): Row => [
      `identity: ${name}`,
      bytes,
      passes,
    ]),
  ),
  ...casesOf(36, nominated),
  ...casesOf(39, [
    ...hostLines.map(([name, hosts]): Row => [
      `Host: ${name}`,
      ["GET /sent HTTP/1.1", ...hosts, "", ""].join("\r\n") + smuggled,
    ]),
    ...targets.map(([name, bytes, passes]): Row => [
      `absolute form: ${name}`,
      passes === undefined ? bytes + smuggled : bytes,
      passes ?? 0,
    ]),
    ["Host: dot after it, upper case", "GET /sent HTTP/1.1\r\nHost: B.Example.\r\n\r\n", 1],
  ]),
];
