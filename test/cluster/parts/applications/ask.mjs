// Asks httpbin and nginx what HTTP has to offer, and prints each answer as JSON. Runs in a pod that knows
// nothing of a mesh: what it prints must be the same with one and without.
import { createHash } from "node:crypto";
import http from "node:http";
import net from "node:net";
import { text } from "node:stream/consumers";
import zlib from "node:zlib";

const MiB = 1024 * 1024;
const answers = {};

/** A body whose every piece is different, in bytes. */
function bodyOf(bytes) {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) body.writeUInt32BE(at, at);
  return body;
}

const decoders = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
};
const longText = 1024;

/** JSON, or a line of it after the other; long texts in it as their digests. */
function jsonOf(body) {
  const short = (_key, value) =>
    typeof value === "string" && value.length > longText ? digestOf(value) : value;
  try {
    return JSON.parse(body, short);
  } catch {
    return body
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line, short));
  }
}

function digestOf(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

/** `headers`: names and values in turn. Digest and length are those of the body that was meant. */
function answerOf(status, headers, received, notes = {}) {
  const valueOf = (name) => {
    const at = headers.findIndex((each, index) => index % 2 === 0 && each.toLowerCase() === name);
    return at < 0 ? "" : headers[at + 1];
  };
  const decode = received.length === 0 ? undefined : decoders[valueOf("content-encoding")];
  const body = decode === undefined ? received : decode(received);
  const isJson = body.length > 0 && valueOf("content-type") === "application/json";
  const json = isJson ? jsonOf(body.toString()) : null;
  return { status, headers, bytes: body.length, sha256: digestOf(body), notes, json };
}

/** One request; `write` sends its body, and by default there is none. */
function ask(url, options = {}, write = (request) => request.end()) {
  return new Promise((resolve, reject) => {
    const notes = {};
    const request = http.request(url, { agent: false, timeout: 20_000, ...options }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const trailers = response.rawTrailers;
        if (trailers.length > 0) notes.trailers = trailers;
        notes.reused = request.reusedSocket;
        notes.version = response.httpVersion;
        resolve(answerOf(response.statusCode, response.rawHeaders, Buffer.concat(chunks), notes));
      });
    });
    request.on("continue", () => (notes.continued = true));
    request.on("timeout", () => request.destroy(new Error(`No answer in time: ${url}`)));
    request.on("error", reject);
    write(request);
  });
}

/** Bytes to a port, and all that comes back until the other side ends. */
async function raw(host, bytes) {
  const socket = net.connect(80, host);
  socket.setTimeout(20_000, () => socket.destroy(new Error(`No end in time: ${host}`)));
  socket.write(bytes);
  const received = await text(socket);
  return received.replaceAll(/^(?:date|connection|keep-alive|server): .*\r\n/gim, "");
}

async function record(name, asked) {
  try {
    answers[name] = await asked;
  } catch (error) {
    answers[name] = answerOf(0, [], "", { error: String(error) });
  }
}

const httpbin = (path) => `http://httpbin${path}`;
const nginx = (path) => `http://nginx${path}`;

const plain = {
  get: httpbin("/get?a=1&b=%C3%BC&c=%2F..%2F&d"),
  "path with dots": httpbin("/anything/a/b%20c/d;e=f/%7Eg"),
  "status 204": httpbin("/status/204"),
  "status 304": httpbin("/status/304"),
  "status 418": httpbin("/status/418"),
  "status 500": httpbin("/status/500"),
  "status 503": httpbin("/status/503"),
  "not found": httpbin("/nothing-here"),
  stream: httpbin("/stream/50"),
  drip: httpbin("/drip?numbytes=10&duration=1&delay=0"),
  delay: httpbin("/delay/1"),
  gzip: httpbin("/gzip"),
  deflate: httpbin("/deflate"),
  brotli: httpbin("/brotli"),
  utf8: httpbin("/encoding/utf8"),
  html: httpbin("/html"),
  image: httpbin("/image/png"),
  redirect: httpbin("/redirect/3"),
  "absolute redirect": httpbin("/absolute-redirect/2"),
  "set cookies": httpbin("/cookies/set?one=1&two=2&three=3"),
  "response headers": httpbin("/response-headers?X-One=1&X-Many=a&X-Many=b&X-Empty="),
  "bytes, chunked": httpbin("/stream-bytes/100000?seed=7&chunk_size=777"),
  "bytes, 100 KiB": httpbin("/bytes/102400?seed=7"),
  "range of httpbin": httpbin("/range/100000?chunk_size=1000"),
  "basic authentication asked for": httpbin("/basic-auth/user/secret"),
  file: nginx("/large.txt"),
  compressed: nginx("/compressed/large.txt"),
  "folder without slash": nginx("/folder"),
  "folder that is forbidden": nginx("/folder/"),
  "file that is not there": nginx("/nothing-here"),
  "through nginx by HTTP/1.0": nginx("/old/get?a=1"),
  "through nginx by HTTP/1.1": nginx("/new/get?a=1"),
  "stream through nginx": nginx("/new/stream/20"),
};
for (const [name, url] of Object.entries(plain)) await record(name, ask(url));

for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS"]) {
  const anything = httpbin("/anything");
  await record(method, ask(anything, { method, headers: { "x-mixed-Case": "Kept" } }));
}
await record("HEAD", ask(httpbin("/encoding/utf8"), { method: "HEAD" }));
await record("HEAD of a file", ask(nginx("/large.txt"), { method: "HEAD" }));
const given = { headers: { cookie: "one=1; two=2", authorization: "Basic dXNlcjpzZWNyZXQ=" } };
await record("cookies given", ask(httpbin("/cookies"), given));
await record("basic authentication", ask(httpbin("/basic-auth/user/secret"), given));
const compressed = { headers: { "accept-encoding": "gzip" } };
await record("gzip by nginx", ask(nginx("/compressed/large.txt"), compressed));

const post = { method: "POST", headers: { "content-type": "application/octet-stream" } };
await record(
  "form",
  ask(
    httpbin("/post"),
    { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" } },
    (request) => request.end("a=1&b=two+words"),
  ),
);
for (const [name, bytes] of [
  ["4 KiB", 4096],
  ["4 MiB", 4 * MiB],
]) {
  const body = bodyOf(bytes);
  await record(
    `post of ${name}`,
    ask(httpbin("/post"), post, (request) => request.end(body)),
  );
  await record(
    `chunked post of ${name}`,
    ask(httpbin("/post"), post, (request) => {
      for (let at = 0; at < bytes; at += 3000) request.write(body.subarray(at, at + 3000));
      request.end();
    }),
  );
}
const expecting = { method: "POST", headers: { expect: "100-continue", "content-length": 9 } };
await record(
  "100-continue",
  ask(httpbin("/post"), expecting, (request) => {
    request.on("continue", () => request.end("continued"));
    request.flushHeaders();
  }),
);
await record(
  "post to a file",
  ask(nginx("/large.txt"), post, (request) => request.end("x")),
);

const head = await ask(nginx("/large.txt"), { method: "HEAD" });
const valueOf = (name) => {
  const at = head.headers.findIndex(
    (each, index) => index % 2 === 0 && each.toLowerCase() === name,
  );
  return head.headers[at + 1];
};
for (const [name, headers] of [
  ["first bytes", { range: "bytes=0-99" }],
  ["last bytes", { range: "bytes=-1000" }],
  ["bytes from the middle", { range: "bytes=10000000-11000000" }],
  ["bytes beyond the end", { range: "bytes=999999999-" }],
  ["unchanged by tag", { "if-none-match": valueOf("etag") }],
  ["unchanged since", { "if-modified-since": valueOf("last-modified") }],
  ["changed by tag", { "if-match": '"other"' }],
]) {
  await record(name, ask(nginx("/large.txt"), { headers }));
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
for (const which of ["first", "second", "third"]) {
  const url = nginx("/nothing-here");
  await record(`${which} request of a kept connection`, ask(url, { agent }));
}
agent.destroy();

const get = (path, more) => `GET ${path} HTTP/1.1\r\nHost: nginx\r\n${more}\r\n`;
for (const [name, host, bytes] of [
  ["connection: close", "nginx", get("/", "Connection: close\r\n")],
  ["connection: close of httpbin", "httpbin", get("/status/404", "Connection: close\r\n")],
  ["HTTP/1.0", "nginx", "GET / HTTP/1.0\r\nHost: nginx\r\n\r\n"],
  ["two at once", "nginx", get("/", "") + get("/none", "Connection: close\r\n")],
]) {
  await record(
    name,
    raw(host, bytes).then((received) => answerOf(0, [], "", { received })),
  );
}
process.stdout.write(JSON.stringify(answers));
