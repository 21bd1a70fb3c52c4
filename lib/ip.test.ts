import test from "ava";
import {
  AddressError,
  canonicalIp,
  formatHostPort,
  isLoopback,
  normalizeIp,
  parseHostPort,
} from "./ip.ts";

for (const [given, expected] of [
  ["10.0.0.1", "10.0.0.1"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["FD00::A", "fd00::a"],
  ["::ffff:fd00", "::ffff:fd00"],
  ["", ""],
] as const) {
  test(`normalizeIp "${given}" is "${expected}"`, (t) => t.is(normalizeIp(given), expected));
}

for (const [given, expected] of [
  ["10.0.0.1", "10.0.0.1"],
  ["FD00:0:0:0::A", "fd00::a"],
  ["fd00:0010:0244:0000:0000:0000:0000:0003", "fd00:10:244::3"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ["::FFFF:10.0.0.1", "10.0.0.1"],
  ["::ffff:a00:1", "10.0.0.1"],
  ["fe80::1%eth0", "fe80::1%eth0"],
  ["app-b", "app-b"],
] as const) {
  test(`canonicalIp "${given}" is "${expected}"`, (t) => t.is(canonicalIp(given), expected));
}

for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) {
  test(`isLoopback ${address}`, (t) => t.true(isLoopback(address)));
}

for (const address of [
  "10.0.0.1",
  "128.0.0.1",
  "::",
  "0.0.0.0",
  "::ffff:10.0.0.1",
  "127.evil.example",
  "127.0.0.1.evil.example",
  "",
]) {
  test(`attack-11 isLoopback is not "${address}"`, (t) => t.false(isLoopback(address)));
}

test("formatHostPort and parseHostPort undo each other", (t) => {
  for (const [host, port] of [
    ["10.0.0.1", 1],
    ["fd00::1", 65_535],
    ["controller.signet-system.svc.cluster.local.", 8443],
  ] as const) {
    t.deepEqual(parseHostPort(formatHostPort(host, port)), { host, port });
  }
  t.is(formatHostPort("fd00::1", 80), "[fd00::1]:80");
});

for (const text of [
  "",
  "host",
  "host:",
  ":80",
  "host:0",
  "host:65536",
  "host:100000",
  "host:-1",
  "host:8e1",
  "fd00::1:80",
  "[fd00::1]",
  "[host]:80",
  "[fade]:80",
  "[10.0.0.1]:80",
  "a b:80",
  "host:80\n",
]) {
  test(`parseHostPort refuses ${JSON.stringify(text)}`, (t) => {
    const error = t.throws(() => parseHostPort(text), { instanceOf: AddressError });
    t.is(error.code, "address_invalid");
    t.true(error.message.includes(`"${text}"`));
    t.regex(error.next, /name:8443/);
  });
}
