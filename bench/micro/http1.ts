// Micro benchmark of the HTTP/1 byte work, a few seconds: `node bench/micro/http1.ts`. Prints the best
// of several rounds per call, which is the figure least disturbed by other work on the machine.
import { ChunkedScanner } from "#/http/http1/chunked.ts";
import { METHOD } from "#/http/http1/method.ts";
import { RequestHead } from "#/http/http1/request-head.ts";
import { ResponseHead } from "#/http/http1/response-head.ts";
import { linesOf, requestBytes, responseBytes } from "#/http/http1/writer.ts";

const CALLS = 100_000;
const ROUNDS = 12;

const small = head("GET /hello HTTP/1.1", "Host: app-b.app-b.svc.cluster.local");
const browser = head(
  "GET /api/v2/orders/4711?expand=items HTTP/1.1",
  "Host: orders.shop.svc.cluster.local",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
  "Accept: application/json, text/plain, */*",
  "Accept-Language: en-GB,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Connection: keep-alive",
  "Cookie: session=4f1c9d0a7be2; theme=dark",
  "X-Request-Id: 0d9b1c4e-7a86-4e0b-9df8-1f4a",
  "X-Forwarded-For: 10.1.2.3",
  "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e-00f067aa0b-01",
  "Sec-Fetch-Mode: cors",
  "Cache-Control: no-cache",
  "DNT: 1",
);
const answer = head(
  "HTTP/1.1 200 OK",
  "Server: nginx/1.22.1",
  "Date: Sat, 21 Nov 2026 08:00:00 GMT",
  "Content-Type: application/json; charset=utf-8",
  "Content-Length: 54",
  "Connection: keep-alive",
  "Keep-Alive: timeout=5",
  "Cache-Control: no-store",
  "X-Request-Id: 0d9b1c4e-7a86-4e0b-9df8-1f4a",
);
const chunks = Buffer.from(`${"400\r\n".padEnd(1029, "x")}\r\n`.repeat(8) + "0\r\n\r\n", "latin1");

function head(...lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

let sink = 0;

function measure(name: string, bytes: number, call: () => number): void {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = process.hrtime.bigint();
    for (let index = 0; index < CALLS; index += 1) sink += call();
    const spent = Number(process.hrtime.bigint() - started) / CALLS;
    best = Math.min(best, spent);
  }
  process.stdout.write(`${name.padEnd(44)} ${best.toFixed(0).padStart(6)} ns  ${bytes} bytes\n`);
}

function main(): void {
  const request = new RequestHead();
  const response = new ResponseHead();
  const scanner = new ChunkedScanner();
  const trace = linesOf("x-signet-peer: spiffe://cluster.local/ns/app-a/sa/app-a");
  const parse = (bytes: Buffer) => (): number => {
    request.reset();
    return request.parse(bytes, 0, bytes.length);
  };
  const answered = (): number => {
    response.reset(METHOD.get, false);
    return response.parse(answer, 0, answer.length);
  };
  const cases: readonly (readonly [string, Buffer, () => number])[] = [
    ["request head, 1 field", small, parse(small)],
    ["request head, 13 fields", browser, parse(browser)],
    ["response head, 8 fields", answer, answered],
  ];
  for (const [name, bytes, call] of cases) measure(name, bytes.length, call);
  parse(browser)();
  measure("request bytes, untouched", browser.length, () => requestBytes(request, null).length);
  measure("request bytes, a line added", browser.length, () => requestBytes(request, trace).length);
  answered();
  measure(
    "response bytes, 3 lines changed",
    answer.length,
    () => responseBytes(response, null).length,
  );
  measure("chunked body, 8 chunks of 1 KiB", chunks.length, () => {
    scanner.reset();
    return scanner.consume(chunks, 0, chunks.length);
  });
  if (sink === 0) process.stdout.write("nothing was measured\n");
}

main();
