import test from "ava";
import { isAllowedAddress, isAllowedEndpoint, parseAllowedEndpoints } from "./addresses.ts";

const forbidden = [
  "127.0.0.1",
  "127.255.0.9",
  "0.0.0.0",
  "0.1.2.3",
  "169.254.169.254",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::FFFF:A9FE:A9FE",
  "::7f00:1",
  "64:ff9b::7f00:1",
  "64:ff9b::a9fe:a9fe",
  "2002:7f00:1::1",
  "fe80::1",
  "febf::1",
  "ff02::1",
  "fd00:ec2::254",
];
for (const address of forbidden) {
  test(`attack-14 a bundle is not asked for at ${address}`, (t) => {
    t.false(isAllowedAddress(address, 443, null));
  });
}

const usual = [
  "10.1.2.3",
  "192.168.1.1",
  "203.0.113.9",
  "2001:db8::1",
  "fd00::1",
  "64:ff9b::cb00:7109",
];
for (const address of usual) {
  test(`a bundle may be asked for at ${address}`, (t) => {
    t.true(isAllowedAddress(address, 443, null));
  });
}

test("an address that is allowed by address and port may be asked, and nothing beside it", (t) => {
  const allowed = parseAllowedEndpoints("127.0.0.1:8445, [::1]:8445,partner.example:443");
  t.true(isAllowedAddress("127.0.0.1", 8445, allowed));
  t.true(isAllowedAddress("::ffff:127.0.0.1", 8445, allowed));
  t.false(isAllowedAddress("127.0.0.1", 8446, allowed));
  t.false(isAllowedAddress("127.0.0.2", 8445, allowed));
  t.true(isAllowedEndpoint("partner.example", 443, allowed));
  t.true(isAllowedEndpoint("PARTNER.example", 443, allowed));
  t.false(isAllowedEndpoint("partner.example", 8443, allowed));
  t.false(isAllowedEndpoint("evil.example", 443, allowed));
  t.true(isAllowedEndpoint("anybody.example", 1, null));
  t.throws(() => parseAllowedEndpoints("partner.example"), { code: "address_invalid" });
});
