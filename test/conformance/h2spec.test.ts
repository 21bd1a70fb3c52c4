// h2spec's opinion on our HTTP/2: every case, the strict ones too, against a server and against a client.
import { execFile } from "node:child_process";
import { createServer } from "node:http2";
import { fileURLToPath } from "node:url";
import test from "ava";
import { echoServer } from "../kit/http2-echo.ts";

const program = process.env["SIGNET_TEST_H2SPEC"] ?? "h2spec";
/** Its client cases listen here and on the next ones, below the ports that the kernel hands out. */
const clientPort = 21_900;
const clientProgram = fileURLToPath(new URL("h2spec-client.ts", import.meta.url));

interface Judgement {
  /** "N tests, N passed, N skipped, N failed". */
  readonly summary: string;
  /** The cases that did not pass. */
  readonly faults: readonly string[];
}

function judged(...words: readonly string[]): Promise<Judgement> {
  return new Promise((resolve) => {
    execFile(program, words, { maxBuffer: 2 ** 26 }, (_error, stdout) => {
      // What a terminal would write over ends with a carriage return.
      const lines = stdout.split("\n").map((line) => line.slice(line.lastIndexOf("\r") + 1));
      resolve({
        summary: lines.find((line) => /^\d+ tests, /.test(line)) ?? stdout.slice(-2000),
        faults: [...new Set(lines.filter((line) => line.includes("×")))],
      });
    });
  });
}

test("h2spec finds nothing in our server, by its strict cases either", async (t) => {
  t.timeout(120_000);
  await using server = await echoServer();
  const { summary, faults } = await judged("server", String(server.port), "strict");
  t.deepEqual(faults, []);
  t.is(summary, "146 tests, 146 passed, 0 skipped, 0 failed");
});

test("h2spec finds nothing in our client", async (t) => {
  // Each case starts the client, waits for it for at most 3 s, and ends with a second's wait.
  t.timeout(300_000);
  const started = `${process.execPath} ${clientProgram}`;
  const { summary, faults } = await judged("client", String(clientPort), started);
  t.deepEqual(faults, []);
  t.is(summary, "57 tests, 57 passed, 0 skipped, 0 failed");
});

test("h2spec sees what is wrong with a server, when something is", async (t) => {
  t.timeout(120_000);
  // nghttp2 passes over what RFC 9113 no longer demands.
  await using server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end("hello"));
  });
  server.on("sessionError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  const { faults } = await judged("server", String(port));
  t.true(faults.length > 5 && faults.length < 20, faults.join("\n"));
  t.log(...faults);
});
