import * as fc from "fast-check";
import test from "ava";
import { golden } from "#/test/kit/golden.ts";
import { chooseStyle } from "../paint.ts";
import { displayWidth } from "../text.ts";
import { readAnswers } from "./app-lines.ts";
import { advance, buildModel, startHistory } from "./model.ts";
import type { History, LiveModel, PodScrape } from "./model.ts";
import { apportion, render, renderSummary } from "./render.ts";
import { parseExposition } from "./scrape.ts";
import { indexSamples } from "./series.ts";

const plain = chooseStyle({ colour: false, unicode: true });
const START = Date.UTC(2026, 10, 21, 8, 0, 0);
const source = "spiffe://cluster.local/ns/app-a/sa/app-a";
const destination = "spiffe://cluster.local/ns/app-b/sa/app-b";

/** The caller's sidecar after so many seconds at one request a second, v2 each tenth, a retry each fifth. */
function caller(seconds: number, notAfterMs: number, issued: number): PodScrape {
  const v2 = Math.floor(seconds / 10);
  const failed = Math.floor(seconds / 5);
  const common = `direction="outbound",source="${source}",destination="${destination}",service="app-b/app-b"`;
  const text = `
signet_proxy_responses_total{${common},backend="app-b/app-b-v1:80",status="200"} ${seconds - v2}
signet_proxy_responses_total{${common},backend="app-b/app-b-v2:80",status="200"} ${v2}
signet_proxy_tries_total{service="app-b/app-b",backend="app-b/app-b-v1:80",outcome="2xx"} ${seconds - v2}
signet_proxy_tries_total{service="app-b/app-b",backend="app-b/app-b-v2:80",outcome="2xx"} ${v2}
signet_proxy_tries_total{service="app-b/app-b",backend="app-b/app-b-v1:80",outcome="5xx"} ${failed}
signet_proxy_request_duration_seconds_bucket{${common},backend="app-b/app-b-v1:80",status="200",le="0.001"} 0
signet_proxy_request_duration_seconds_bucket{${common},backend="app-b/app-b-v1:80",status="200",le="0.005"} ${seconds}
signet_proxy_request_duration_seconds_bucket{${common},backend="app-b/app-b-v1:80",status="200",le="+Inf"} ${seconds}
signet_proxy_connections_total{direction="outbound",source="${source}",destination="${destination}",transport="mtls",version="TLSv1.3",group="X25519MLKEM768"} 2
signet_proxy_certificate_not_after_seconds ${notAfterMs / 1000}
signet_proxy_certificates_issued_total ${issued}
signet_proxy_controller_connected 1`;
  return {
    pod: "app-a/app-a-5f6c7d-0",
    identity: source,
    counters: indexSamples(parseExposition(text)),
  };
}

function greeter(seconds: number, notAfterMs: number): PodScrape {
  const text = `
signet_proxy_responses_total{direction="inbound",source="${source}",destination="${destination}",service="",backend="",status="200"} ${seconds}
signet_proxy_refusals_total{direction="inbound",reason="plaintext_refused"} ${Math.max(0, seconds - 30)}
signet_proxy_certificate_not_after_seconds ${notAfterMs / 1000}
signet_proxy_certificates_issued_total 1
signet_proxy_certificate_failures_total{reason="issue_failed"} 2
signet_proxy_controller_connected 0`;
  return {
    pod: "app-b/app-b-v1-0a1b2c-0",
    identity: destination,
    counters: indexSamples(parseExposition(text)),
  };
}

function historyAfter(seconds: number): History {
  let history = startHistory(START);
  for (let at = 1; at <= seconds; at += 1) {
    const renewals = Math.floor(at / 40);
    const notAfterMs = START + (renewals * 40 + 900) * 1000;
    history = advance(history, START + at * 1000, [
      caller(at, notAfterMs, 1 + renewals),
      greeter(at, START + 120_000),
    ]);
  }
  return history;
}

const output = [70, 71, 72]
  .map(
    (number) =>
      `Response #${number}\nHTTP/1.1 200 OK\nserver: signet\ncontent-length: 70\n\nHello from app-b service! Hostname: app-b-v1-0a1b2c-0 Version: 1.0\n\n`,
  )
  .join("");
const answers = readAnswers(
  `${output}Response #73\nError: ECONNREFUSED: connect\n\nResponse #74\nHTTP/1.1 20`,
);

function model(): LiveModel {
  return buildModel(historyAfter(75), answers);
}

const now = START + 75_000;

test("readAnswers has one for each whole answer, with what went wrong", (t) => {
  t.deepEqual(
    answers.map(({ number, status, isOk, server }) => [number, status, isOk, server]),
    [
      [70, "200 OK", true, "signet"],
      [71, "200 OK", true, "signet"],
      [72, "200 OK", true, "signet"],
      [73, "Error: ECONNREFUSED: connect", false, ""],
    ],
  );
  t.is(answers[0]?.body, "Hello from app-b service! Hostname: app-b-v1-0a1b2c-0 Version: 1.0");
  t.is(answers[0]?.lines[0], "Response #70");
});

test("readAnswers takes no escape codes from the application over", (t) => {
  const [answer] = readAnswers("Response #1\nHTTP/1.1 200 OK\n\n\u001b[2Jcleared\u0007\n\n");
  t.is(answer?.body, "cleared");
});

test("buildModel counts the last minute, and the rate of the last ten seconds", (t) => {
  const [service] = model().services;
  t.is(service?.name, "app-b/app-b");
  t.is(service?.requestsPerS, 1);
  t.is(service?.requests, 60);
  t.is(service?.answersOk, 60);
  t.is(service?.tries, 72);
  t.is(service?.triesOk, 60);
  t.is(service?.retries, 12);
  t.deepEqual(service?.flows, [
    { source, destination, version: "TLSv1.3", group: "X25519MLKEM768" },
  ]);
});

test("buildModel shows no conversation where the sidecar answered by itself", (t) => {
  const refused = caller(3, START + 9e5, 1);
  const own = `signet_proxy_responses_total{direction="outbound",source="${source}",destination="plaintext",service="x/y",backend="",status="503"} 1`;
  const counters = indexSamples([...(refused.counters?.values() ?? []), ...parseExposition(own)]);
  const history = advance(startHistory(START), START + 3000, [{ ...refused, counters }]);
  const [, other] = buildModel(history, []).services;
  t.is(other?.name, "x/y");
  t.deepEqual(other?.flows, []);
});

test("buildModel counts a request that reached no endpoint as failed, for a minute", (t) => {
  const own = `signet_proxy_responses_total{direction="outbound",source="${source}",destination="",service="app-b/app-b",backend="app-b/app-b-v1:80",status="503"} 1`;
  let history = startHistory(START);
  const counted: (readonly [number | undefined, number | undefined, number | undefined])[] = [];
  for (const seconds of [3, 6, 59, 119, 120]) {
    const scrape = caller(seconds, START + 9e5, 1);
    const counters = indexSamples([...(scrape.counters?.values() ?? []), ...parseExposition(own)]);
    history = advance(history, START + seconds * 1000, [{ ...scrape, counters }]);
    const [service] = buildModel(history, []).services;
    counted.push([service?.requests, service?.answersOk, service?.retries]);
  }
  t.deepEqual(counted, [
    [4, 3, 0],
    [7, 6, 1],
    [60, 59, 11],
    [60, 60, 12],
    [1, 1, 1],
  ]);
});

test("buildModel counts from the start of the mesh until a minute has passed", (t) => {
  const early = buildModel(
    advance(startHistory(START), START + 3000, [caller(3, START + 9e5, 1)]),
    [],
  );
  t.is(early.services[0]?.requests, 3);
  t.is(early.services[0]?.requestsPerS, 1);
});

test("buildModel shows a sidecar that does not answer and one without a certificate", (t) => {
  const pods = [
    { pod: "x/gone", identity: source, counters: null },
    { pod: "x/new", identity: source, counters: indexSamples([]) },
  ];
  const { workloads } = buildModel(advance(startHistory(START), START, pods), []);
  t.deepEqual(
    workloads.map(({ isAnswering, notAfterMs }) => [isAnswering, notAfterMs]),
    [
      [false, null],
      [true, null],
    ],
  );
});

test("buildModel counts renewals and measures a life from when it was first seen", (t) => {
  const [one, other] = model().workloads;
  t.is(one?.renewals, 1);
  t.is(one?.lifetimeMs, 900_000);
  t.is(other?.renewals, 0);
  t.is(other?.failures, 2);
  t.false(other?.isControllerConnected);
});

test("advance forgets what lies before the window", (t) => {
  t.true(historyAfter(200).snapshots.length <= 61);
});

for (const [name, width, height, style] of [
  ["wide", 110, 40, plain],
  ["narrow", 60, 40, plain],
  ["low", 80, 10, plain],
  ["ascii", 80, 40, chooseStyle({ colour: false, unicode: false })],
  ["colour", 80, 40, chooseStyle({ colour: true, unicode: true })],
] as const) {
  test(`render ${name} (${width} x ${height}) as in its golden file`, (t) => {
    const lines = render(model(), width, height, now, style);
    const text = `${lines.join("\n")}\n`;
    t.is(text, golden(new URL(`golden/view-${name}.txt`, import.meta.url), text));
  });
}

test("render shows that nothing is there yet", (t) => {
  const lines = render(buildModel(startHistory(START), []), 80, 24, START + 500, plain);
  const text = `${lines.join("\n")}\n`;
  t.is(text, golden(new URL("golden/view-empty.txt", import.meta.url), text));
});

test("property: render fits every terminal", (t) => {
  const shown = model();
  const colour = chooseStyle({ colour: true, unicode: true });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 60 }),
      (width, height) => {
        const lines = render(shown, width, height, now, colour);
        return lines.length <= height && lines.every((line) => displayWidth(line) <= width);
      },
    ),
  );
  t.pass();
});

test("renderSummary says it all in one line", (t) => {
  t.is(
    renderSummary(model(), now, plain),
    "-- app-b/app-b 1.0/s (app-b-v1 91.7 %, app-b-v2 8.3 %) ok 83.3 % → 100.0 % p50 2.5 ms p99 4.9 ms; shortest certificate 45s, 1 renewed",
  );
});

for (const [parts, cells, expected] of [
  [[90, 10], 10, [9, 1]],
  [[999, 1], 10, [9, 1]],
  [[1, 0], 10, [10, 0]],
  [[0, 0], 10, [0, 0]],
  [[1, 1, 1], 10, [4, 3, 3]],
] as const) {
  test(`apportion ${parts.join("/")} over ${cells} cells`, (t) => {
    t.deepEqual(apportion(parts, cells), [...expected]);
  });
}
