import test from "ava";
import * as fc from "fast-check";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { IdentityError } from "./identity-error.ts";
import {
  parseSpiffeId,
  parseTrustDomain,
  partsOf,
  spiffeIdBytesMax,
  trustDomainBytesMax,
  trustDomainOf,
  workloadId,
} from "./spiffe-id.ts";

const td = parseTrustDomain("cluster.local");

const denied: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["another scheme", "https://cluster.local/ns/a/sa/b"],
  ["an upper-case scheme", "SPIFFE://cluster.local/ns/a/sa/b"],
  ["a scheme without slashes", "spiffe:cluster.local/ns/a"],
  ["no trust domain", "spiffe:///ns/a"],
  ["no path", "spiffe://cluster.local"],
  ["an empty path", "spiffe://cluster.local/"],
  ["a slash at the end", "spiffe://cluster.local/ns/a/"],
  ["an empty segment", "spiffe://cluster.local/ns//sa"],
  ["a dot segment", "spiffe://cluster.local/ns/./sa"],
  ["two dots", "spiffe://cluster.local/ns/../sa"],
  ["a percent sign", "spiffe://cluster.local/ns/%61/sa"],
  ["a query", "spiffe://cluster.local/ns/a?b"],
  ["a fragment", "spiffe://cluster.local/ns/a#b"],
  ["a port", "spiffe://cluster.local:8443/ns/a"],
  ["user information", "spiffe://user@cluster.local/ns/a"],
  ["brackets", "spiffe://[::1]/ns/a"],
  ["a space", "spiffe://cluster.local/ns/a b"],
  ["NUL", "spiffe://cluster.local/ns/a\0.evil/sa/b"],
  ["a line break", "spiffe://cluster.local/ns/a\n/sa/b"],
  ["a line break at the end", "spiffe://cluster.local/ns/a/sa/b\n"],
  ["a backslash", "spiffe://cluster.local\\evil/ns/a"],
  ["a comma", "spiffe://cluster.local/ns/a, URI:spiffe://cluster.local/ns/b"],
  ["letters beyond ASCII", "spiffe://cluster.local/ns/\u00e4"],
  ["an upper-case trust domain", "spiffe://Cluster.Local/ns/a/sa/b"],
  ["a trust domain that only looks alike", "spiffe://clu\u0455ter.local/ns/a/sa/b"],
  ["one byte too many", `spiffe://cluster.local/${"a".repeat(spiffeIdBytesMax - 22)}`],
];

for (const [what, text] of denied) {
  test(`attack-7 parseSpiffeId refuses ${what}`, (t) => {
    const error = t.throws(() => parseSpiffeId(text), { instanceOf: IdentityError });
    t.true(["id_invalid", "trust_domain_invalid"].includes(error.code));
    t.regex(error.message, /^Cannot read "/);
    // What an attacker sends does not reach a terminal as it is.
    t.notRegex(error.message, /[^\x20-\x7e]/);
  });
}

test("parseSpiffeId takes the longest there may be", (t) => {
  const text = `spiffe://cluster.local/${"a".repeat(spiffeIdBytesMax - 23)}`;
  t.is(text.length, spiffeIdBytesMax);
  t.is(String(parseSpiffeId(text)), text);
});

test("parseSpiffeId takes every character that the specification allows", (t) => {
  t.notThrows(() => parseSpiffeId("spiffe://a-b.c_9/AZaz09.-_/..."));
});

test("parseTrustDomain holds to its length", (t) => {
  t.notThrows(() => parseTrustDomain("a".repeat(trustDomainBytesMax)));
  for (const text of ["", "a".repeat(trustDomainBytesMax + 1), "A", "a/b", "a:1", "spiffe://a"]) {
    t.is(
      t.throws(() => parseTrustDomain(text), { instanceOf: IdentityError }).code,
      "trust_domain_invalid",
    );
  }
});

test("attack-7 trustDomainOf is the whole trust domain, never a part", (t) => {
  t.is(trustDomainOf(parseSpiffeId("spiffe://cluster.local/ns/a/sa/b")), td);
  for (const other of ["cluster.local.evil", "evil.cluster.local", "cluster.localx", "cluster"]) {
    t.not(trustDomainOf(parseSpiffeId(`spiffe://${other}/ns/a/sa/cluster.local`)), td);
  }
});

test("workloadId refuses names that Kubernetes has not", (t) => {
  const long = "a".repeat(64);
  for (const namespace of ["", "A", "a/b", "a.b", "-a", "a-", "..", long, "a\n"]) {
    t.throws(() => workloadId(td, namespace, "sa"), { code: "id_not_workload" });
  }
  for (const account of ["", "A", "a/b", ".a", "a.", "a..b", "-a", "a".repeat(254), "a\n"]) {
    t.throws(() => workloadId(td, "ns", account), { code: "id_not_workload" });
  }
});

test("partsOf refuses every other form of path", (t) => {
  for (const path of [
    "a",
    "ns/a",
    "ns/a/sa",
    "sa/a/ns/b",
    "ns/a/sa/b/c",
    "x/ns/a/sa/b",
    "ns/A/sa/b",
  ]) {
    const id = parseSpiffeId(`spiffe://cluster.local/${path}`);
    t.throws(() => partsOf(id), { code: "id_not_workload" });
  }
});

const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?$/);
const subdomain = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));

test("property: workloadId, parseSpiffeId and partsOf agree", (t) => {
  fc.assert(
    fc.property(subdomain, label, subdomain, (domain, namespace, serviceAccount) => {
      const trustDomain = parseTrustDomain(domain);
      const id = workloadId(trustDomain, namespace, serviceAccount);
      t.is(parseSpiffeId(id), id);
      t.deepEqual(partsOf(id), { trustDomain, namespace, serviceAccount });
      t.is(trustDomainOf(id), trustDomain);
    }),
    fuzzOptions(t, 300),
  );
});

test("property: whatever parseSpiffeId takes is canonical as a URL, too", (t) => {
  const near = fc
    .array(
      fc.constantFrom("spiffe://", "td", "/", ".", "..", "%", ":", "@", "a", "A", "?", "#", "\\"),
    )
    .map((parts) => parts.join(""));
  const anything = fc.oneof(
    near,
    near.map((text) => `spiffe://td/${text}`),
    fc.string(),
  );
  fc.assert(
    fc.property(anything, (text) => {
      try {
        parseSpiffeId(text);
      } catch (thrown) {
        return thrown instanceof IdentityError;
      }
      const url = new URL(text);
      return url.href === text && url.host === trustDomainOf(parseSpiffeId(text));
    }),
    fuzzOptions(t, 2000),
  );
  t.pass();
});
