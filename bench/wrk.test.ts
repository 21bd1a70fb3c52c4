import test from "ava";
import { works } from "./works.ts";
import { WrkError, parseWrk, wrkParameters, wrkScript } from "./wrk.ts";

const plain = works.find((work) => work.name === "h1-mtls-pair")!;
const withHeaders = works.find((work) => work.name === "h1-mtls-pair-headers")!;

const output = `Running 2s test @ http://10.203.1.10:80/hello
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.10ms  301.00us   9.10ms   91.00%
    Req/Sec    29.10k     1.20k   31.00k    71.43%
  60900 requests in 2.10s, 12.20MB read
Requests/sec:  29000.12
Transfer/sec:      5.81MB
`;

test("parseWrk reads requests and duration", (t) => {
  const bytesRead = 12.2 * 1024 ** 2;
  t.deepEqual(parseWrk(output), { requests: 60_900, durationS: 2.1, bytesRead, errors: 0 });
});

test("parseWrk reads durations in other units", (t) => {
  t.is(parseWrk(output.replace("2.10s", "1.50m")).durationS, 90);
  t.is(parseWrk(output.replace("2.10s", "200.00ms")).durationS, 0.2);
  t.is(parseWrk(output.replace("12.20MB", "512.00B")).bytesRead, 512);
  t.is(parseWrk(output.replace("12.20MB", "1.50GB")).bytesRead, 1.5 * 1024 ** 3);
});

test("parseWrk adds up every kind of error", (t) => {
  const faults =
    "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 50\n";
  t.is(parseWrk(output.replace("Requests/sec", `${faults}Requests/sec`)).errors, 60);
});

const unreadable = test.macro({
  exec(t, text: string, message: string) {
    const error = t.throws(() => parseWrk(text), { instanceOf: WrkError });
    t.is(error.code, "wrk_output_unreadable");
    t.is(error.message, message);
  },
  title: (name) => `parseWrk refuses ${name}`,
});

test("nothing", unreadable, "", 'Cannot read the result of wrk: it said ""');
test(
  "a run that could not connect",
  unreadable,
  "unable to connect to 10.203.1.10:80 Connection refused\n",
  'Cannot read the result of wrk: it said "unable to connect to 10.203.1.10:80 Connection refused"',
);
test(
  "half an output",
  unreadable,
  output.slice(0, output.indexOf("  60900")),
  'Cannot read the result of wrk: it said "Req/Sec    29.10k     1.20k   31.00k    71.43%"',
);

test("wrkParameters asks for the path of the work with its host", (t) => {
  t.deepEqual(wrkParameters(plain, "http://10.0.0.1:80", "app-b", 4, null), [
    "-t1",
    "-c32",
    "-d4s",
    "--timeout",
    "10s",
    "-H",
    "Host: app-b",
    "http://10.0.0.1:80/hello",
  ]);
});

test("wrkScript is not needed without headers", (t) => {
  t.is(wrkScript(plain, "app-b"), null);
});

test("wrkScript sends a work's body", (t) => {
  const upload = works.find((work) => work.name === "h1-mtls-pair-1m")!;
  t.regex(wrkScript(upload, "app-b")!, /"POST"\n.*string\.rep\("x", 1048576\)/);
});

test("wrkScript splits the request around the varying part, once", (t) => {
  const script = wrkScript(withHeaders, 'a"b')!;
  t.true(script.includes('Host: a\\"b\\r\\n'));
  t.regex(script, /^local after = "\\r\\n\\r\\n"$/m);
  t.false(script.includes("{varying}"));
  t.false(/[^\\]\r/.test(script));
});
