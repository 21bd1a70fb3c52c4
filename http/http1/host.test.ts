import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { bytesOf } from "#/test/kit/vectors.ts";
import { HOST_BYTES_MAX, HostMemo, normalizeHostName } from "./host.ts";
import { CODE } from "./refusal.ts";

function read(memo: HostMemo, text: string): unknown {
  const code = memo.read(bytesOf(text), 0, text.length);
  if (code !== 0) return code;
  return {
    host: memo.host,
    port: memo.port,
    rewritten: memo.rewritten?.toString("latin1") ?? null,
  };
}

test("attack-39 host memo normalises case, one trailing dot and keeps the port", (t) => {
  const memo = new HostMemo();
  t.deepEqual(read(memo, "b"), { host: "b", port: 0, rewritten: null });
  t.deepEqual(read(memo, "B"), { host: "b", port: 0, rewritten: "b" });
  t.deepEqual(read(memo, "b."), { host: "b", port: 0, rewritten: "b" });
  t.deepEqual(read(memo, "b.:80"), { host: "b", port: 80, rewritten: "b:80" });
  t.deepEqual(read(memo, "b:080"), { host: "b", port: 80, rewritten: "b:80" });
  t.deepEqual(read(memo, "[FD00::1]:80"), {
    host: "[fd00::1]",
    port: 80,
    rewritten: "[fd00::1]:80",
  });
});

test("host memo answers the same host from memory, and another one anew", (t) => {
  const memo = new HostMemo();
  const first = read(memo, "App.B.:8080");
  const rewritten = memo.rewritten;
  t.deepEqual(read(memo, "App.B.:8080"), first);
  t.is(memo.rewritten, rewritten, "no second buffer");
  t.deepEqual(read(memo, "App.B.:8081"), { host: "app.b", port: 8081, rewritten: "app.b:8081" });
  t.is(read(memo, "App.B.:808:"), CODE.bad_host);
  t.is(read(memo, ""), CODE.bad_host);
  t.deepEqual(read(memo, "App.B.:8080"), first);
});

test("attack-50 host of the largest size is accepted, one byte more is refused", (t) => {
  const memo = new HostMemo();
  const largest = "a".repeat(HOST_BYTES_MAX);
  t.deepEqual(read(memo, largest), { host: largest, port: 0, rewritten: null });
  t.is(read(memo, `${largest}a`), CODE.bad_host);
});

test("host name of a service is normalised the same way", (t) => {
  t.is(normalizeHostName("App-B.app-b.SVC."), "app-b.app-b.svc");
  t.is(normalizeHostName("b"), "b");
});

test("host memo property: normal form is stable, and memory never changes an answer", (t) => {
  const memo = new HostMemo();
  const part = fc.constantFrom(
    "a",
    "B",
    ".",
    "-",
    ":",
    "80",
    "0",
    "[",
    "]",
    "::1",
    "%",
    "@",
    ",",
    " ",
  );
  const host = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(host, (text) => {
      const answer = read(memo, text);
      t.deepEqual(read(new HostMemo(), text), answer);
      t.deepEqual(read(memo, text), answer);
      if (typeof answer === "number") return;
      const normal = memo.rewritten?.toString("latin1") ?? text;
      t.like(read(new HostMemo(), normal), { host: memo.host, port: memo.port, rewritten: null });
    }),
    fuzzOptions(t, 2000),
  );
  t.pass();
});
