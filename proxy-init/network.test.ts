import test from "ava";
import * as fc from "fast-check";
import { parseNetwork } from "./network.ts";

function cidr(text: string): string {
  const parsed = parseNetwork(text);
  return parsed.kind === "network"
    ? `${parsed.network.family} ${parsed.network.cidr}`
    : parsed.fault;
}

for (const [text, expected] of [
  ["10.0.0.0/8", "ipv4 10.0.0.0/8"],
  ["169.254.169.254", "ipv4 169.254.169.254/32"],
  ["0.0.0.0/1", "ipv4 0.0.0.0/1"],
  ["FD00:0:0::/8", "ipv6 fd00::/8"],
  ["::1", "ipv6 ::1/128"],
  ["2001:DB8::0001", "ipv6 2001:db8::1/128"],
  ["::ffff:10.0.0.0/104", "ipv6 ::ffff:10.0.0.0/104"],
] as const) {
  test(`parseNetwork reads "${text}"`, (t) => t.is(cidr(text), expected));
}

for (const [text, fault] of [
  ["", "is not a CIDR"],
  ["10.0.0/8", "is not a CIDR"],
  ["10.0.0.0/8/8", "is not a CIDR"],
  ["010.0.0.0/8", "is not a CIDR"],
  ["fe80::1%eth0", "is not a CIDR"],
  ["example.com", "is not a CIDR"],
  ["10.0.0.0/33", "needs a length from 0 to 32"],
  ["10.0.0.0/", "needs a length from 0 to 32"],
  ["10.0.0.0/-1", "needs a length from 0 to 32"],
  ["::/129", "needs a length from 0 to 128"],
  ["10.0.0.1/8", "has bits set beyond its length"],
  ["fd00::1/64", "has bits set beyond its length"],
  ["0.0.0.0/0", "covers everything: nothing would be redirected"],
  ["::/0", "covers everything: nothing would be redirected"],
] as const) {
  test(`parseNetwork refuses "${text}"`, (t) => t.is(cidr(text), fault));
}

test("parseNetwork reads its own output back, and never throws", (t) => {
  const texts = fc.oneof(
    fc.string(),
    fc.ipV6(),
    fc.tuple(fc.ipV4(), fc.nat(40)).map((parts) => parts.join("/")),
    fc.tuple(fc.ipV6(), fc.nat(140)).map((parts) => parts.join("/")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const first = parseNetwork(text);
      if (first.kind === "fault") return;
      t.deepEqual(parseNetwork(first.network.cidr), first);
    }),
  );
  t.pass();
});
