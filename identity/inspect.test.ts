import { X509Certificate } from "node:crypto";
import test from "ava";
import * as kit from "#/test/kit/forge.ts";
import { inspectChain } from "./inspect.ts";
import type { Inspection } from "./inspect.ts";
import { IdentityError } from "./identity-error.ts";
import { leafRules } from "./leaf-rules.ts";
import { oid } from "./object-identifiers.ts";
import { pathRules } from "./path-rules.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { verifyChain } from "./verify.ts";

const trustDomain = parseTrustDomain("cluster.local");
const id = "spiffe://cluster.local/ns/app-a/sa/app-a";
const now = kit.forgeNow;
const root = kit.makeAuthority("root", null, kit.authorityExtensions(1));
const constrained = [...kit.authorityExtensions(0), kit.nameConstraints(["cluster.local"])];
const issuer = kit.makeAuthority("issuer", root, constrained);

function leaf(extensions: readonly Uint8Array[] = kit.leafExtensions(id)): Uint8Array {
  return kit.forge({ subject: "", key: kit.newKey(), issuer, extensions });
}

const inspect = (chain: readonly Uint8Array[], roots: readonly Uint8Array[] | null = [root.der]) =>
  inspectChain(chain, { now, roots, trustDomain });
const failed = ({ checks }: Inspection): readonly string[] =>
  checks.filter(({ passed }) => !passed).map(({ code }) => code);

test("inspectChain says all there is to say of a good chain", (t) => {
  const chain = [leaf(), issuer.der];
  const { id: found, certificates, leftMs, checks } = inspect(chain);
  t.is(String(found), id);
  t.is(leftMs, 3_600_000);
  // The root that it leads to is shown, too, though it was not sent.
  t.is(certificates.length, 3);
  t.like(certificates[0], {
    subject: "",
    issuer: "CN=issuer",
    keyKind: "ec-p256",
    signatureAlgorithm: "ecdsa-with-SHA256",
    isAuthority: false,
    pathLengthMax: null,
    names: [`uri:${id}`],
    keyUsage: ["digitalSignature"],
    extendedKeyUsage: ["serverAuth", "clientAuth"],
    nameConstraints: [],
  });
  t.like(certificates[1], {
    subject: "CN=issuer",
    issuer: "CN=root",
    isAuthority: true,
    pathLengthMax: 0,
    keyUsage: ["keyCertSign", "crlSign"],
    nameConstraints: ["permitted uri:cluster.local"],
  });
  t.is(checks.length, leafRules.length + pathRules.length + 2);
  t.true(checks.every(({ passed, fault, demand }) => passed && fault === "" && demand !== ""));
});

test("inspectChain agrees with OpenSSL on each certificate", (t) => {
  const chain = [leaf(), issuer.der];
  const { certificates } = inspect(chain, null);
  t.is(certificates.length, chain.length);
  for (const [index, der] of chain.entries()) {
    const judge = new X509Certificate(der);
    const own = certificates[index]!;
    t.is(own.serial, judge.serialNumber.toLowerCase());
    t.is(own.fingerprint, judge.fingerprint256.replaceAll(":", "").toLowerCase());
    t.is(own.notAfter, judge.validToDate.getTime());
    t.is(own.isAuthority, judge.ca);
    t.is(own.issuer, judge.issuer.replaceAll("\n", ", "));
  }
});

test("inspectChain without roots says nothing about trust", (t) => {
  const { checks } = inspect([leaf()], null);
  const codes = new Set(pathRules.map(({ code }) => code));
  t.deepEqual(
    checks.filter(({ code }) => codes.has(code)).map(({ demand }) => demand),
    ["the leaf is valid now"],
  );
});

test("inspectChain goes on where verifyChain stops, and shows every fault", (t) => {
  const purposes = kit.extendedKeyUsage(oid.clientAuth);
  const names = kit.alternativeNames([kit.generalName(6, "spiffe://other.local/ns/a/sa/b")]);
  const der = kit.forge({
    subject: "",
    key: kit.newKey(),
    issuer,
    extensions: [kit.basicConstraints("leaf"), kit.keyUsage(0x84), purposes, names],
    notAfter: now - 1000,
  });
  const inspection = inspect([der, issuer.der]);
  t.deepEqual(failed(inspection), [
    "leaf_key_usage_invalid",
    "leaf_extended_key_usage_invalid",
    "chain_trust_domain_foreign",
    "chain_expired",
    "chain_name_not_permitted",
    "chain_expired",
  ]);
  t.true(inspection.leftMs < 0);
  t.throws(
    () => verifyChain([der, issuer.der], [root.der], now, { trustDomain, purpose: "client" }),
    {
      code: "leaf_key_usage_invalid",
    },
  );
});

test("inspectChain shows a certificate that is no identity at all", (t) => {
  const inspection = inspect([root.der]);
  t.is(inspection.id, null);
  t.true(failed(inspection).includes("leaf_is_authority"));
  t.true(failed(inspection).includes("leaf_names_invalid"));
  t.true(failed(inspection).includes("chain_trust_domain_foreign"));
});

test("inspectChain shows a chain that leads nowhere", (t) => {
  t.true(failed(inspect([leaf()])).includes("chain_not_rooted"));
  t.true(failed(inspect([leaf(), issuer.der], [])).includes("chain_not_rooted"));
});

test("inspectChain shows names so that they cannot move a cursor or pass for others", (t) => {
  const subject = "a, O=admin\u001b[2J\u202e";
  const der = kit.forge({
    subject,
    key: kit.newKey(),
    issuer,
    extensions: kit.leafExtensions(id),
  });
  const shown = inspect([der], null).certificates[0]!.subject;
  t.is(shown, String.raw`CN=a\u{2c} O\u{3d}admin\u{1b}[2J\u{202e}`);
});

test("inspectChain refuses what is no certificate", (t) => {
  t.throws(() => inspect([Uint8Array.of(1)]), { instanceOf: IdentityError });
  t.throws(() => inspect([]), { code: "chain_length_invalid" });
});

test("inspectChain and verifyChain agree on whether a chain is good", (t) => {
  const chains = [
    [leaf(), issuer.der],
    [leaf()],
    [leaf(kit.leafExtensions("spiffe://other.local/a")), issuer.der],
    [leaf([]), issuer.der],
    [leaf(), root.der],
  ];
  for (const chain of chains) {
    let isGood = true;
    try {
      verifyChain(chain, [root.der], now, { trustDomain, purpose: "client" });
    } catch {
      isGood = false;
    }
    t.is(failed(inspect(chain)).length === 0, isGood);
  }
});
