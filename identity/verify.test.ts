import { generateKeyPairSync } from "node:crypto";
import test from "ava";
import * as fc from "fast-check";
import { contextTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import * as kit from "#/test/kit/forge.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { opensslVerdict } from "#/test/kit/openssl.ts";
import { readCertificate } from "./certificate.ts";
import { IdentityError } from "./identity-error.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { outsideConstraints } from "./name-constraints.ts";
import { oid } from "./object-identifiers.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { chainLengthMax, verifyChain } from "./verify.ts";

const trustDomain = parseTrustDomain("cluster.local");
const id = "spiffe://cluster.local/ns/app-a/sa/app-a";
const now = kit.forgeNow;
const hour = 3_600_000;
type Authority = ReturnType<typeof kit.makeAuthority>;

const root = kit.makeAuthority("root", null, kit.authorityExtensions(2));
const intermediate = kit.makeAuthority("intermediate", root, kit.authorityExtensions(1));
const constrained = [...kit.authorityExtensions(0), kit.nameConstraints(["cluster.local"])];
const issuer = kit.makeAuthority("issuer", intermediate, constrained);

function leaf(signer: kit.Identity, options: Partial<kit.ForgeOptions> = {}): Uint8Array {
  const extensions = kit.leafExtensions(id);
  return kit.forge({ subject: "", key: kit.newKey(), issuer: signer, extensions, ...options });
}

const good = [leaf(issuer), issuer.der, intermediate.der];
const verify = (chain: readonly Uint8Array[], roots = [root.der], at = now) =>
  verifyChain(chain, roots, at, { trustDomain, purpose: "client" });

test("verifyChain takes leaf, issuer and intermediate up to the root, for both purposes", (t) => {
  t.is(String(verify(good).id), id);
  t.is(String(verifyChain(good, [root.der], now, { trustDomain, purpose: "server" }).id), id);
});

test("verifyChain takes a chain that brings its root along", (t) => {
  t.notThrows(() => verify([...good, root.der]));
});

test("verifyChain takes the root that signed, of two with one name", (t) => {
  const namesake = kit.makeAuthority("root", null, kit.authorityExtensions(2));
  t.notThrows(() => verify(good, [namesake.der, root.der]));
});

test("verifyChain passes over what it cannot read among the roots", (t) => {
  t.notThrows(() => verify(good, [Uint8Array.of(1, 2, 3), root.der]));
});

test("verifyChain takes P-384 authorities", (t) => {
  const key = kit.newKey("P-384");
  const extensions = kit.authorityExtensions("any");
  const der = kit.forge({ subject: "big", key, extensions });
  t.notThrows(() => verify([leaf({ name: "big", key })], [der]));
});

test("verifyChain takes RSA-2048 roots", (t) => {
  const strong = rsaRoot(2048);
  t.notThrows(() => verify([strong.leaf], [strong.der]));
});

test("outsideConstraints holds .host for hosts below it alone", (t) => {
  const own = kit.makeAuthority("own", null, [...authority, kit.nameConstraints([".local"])]);
  const fault = (host: string): string | null => {
    const extensions = kit.leafExtensions(`spiffe://${host}/a`);
    const below = [readCertificate(leaf(own, { extensions }))];
    return outsideConstraints(below, readCertificate(own.der));
  };
  t.is(fault("a.local"), null);
  t.truthy(fault(".local"));
  t.truthy(fault("alocal"));
});

/** A chain whose issuer is made like ours, but for what is changed. */
function under(
  extensions: readonly Uint8Array[],
  options: Partial<kit.ForgeOptions> = {},
  signer: Authority = intermediate,
): readonly Uint8Array[] {
  const own = kit.makeAuthority("issuer", signer, extensions, options);
  return [leaf(own), own.der, intermediate.der];
}

const workload = kit.makeAuthority("workload", issuer, kit.leafExtensions(id));
const second = kit.makeAuthority("second", issuer, constrained);
const elsewhere = kit.makeAuthority("root", null, kit.authorityExtensions("any"));
const otherKey = { name: "issuer", key: kit.newKey() };
const dnsOnly = kit.extension(
  oid.nameConstraints,
  true,
  encode.encodeSequence(
    encode.encodeElement(
      contextTag(0, "constructed"),
      encode.encodeSequence(
        encode.encodeElement(contextTag(4, "constructed"), kit.encodeName("x")),
      ),
    ),
  ),
);
const keyId = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const namesKey = kit.extension(
  oid.authorityKeyIdentifier,
  false,
  encode.encodeSequence(encode.encodeElement(contextTag(0, "primitive"), keyId("aa"))),
);
const hasKey = kit.extension(
  oid.subjectKeyIdentifier,
  false,
  encode.encodeOctetString(keyId("bb")),
);
const keyed = kit.makeAuthority("issuer", intermediate, [...constrained, hasKey]);
const authority = kit.authorityExtensions(0);
const within = (...hosts: readonly string[]): readonly Uint8Array[] =>
  under([...authority, kit.nameConstraints(hosts)]);
const foreign = (td: string): readonly Uint8Array[] => [
  leaf(issuer, { extensions: kit.leafExtensions(`spiffe://${td}/ns/app-a/sa/app-a`) }),
  issuer.der,
  intermediate.der,
];

const rsaRoot = (bits: number) => {
  const key = generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
  const rsa = { algorithm: oid.rsaSha256, key, subject: "rsa" };
  const der = kit.forge({ ...rsa, extensions: kit.authorityExtensions("any") });
  return { der, leaf: leaf({ name: "rsa", key }, { algorithm: oid.rsaSha256 }) };
};
const weak = rsaRoot(1024);
const otherCurve = kit.newKey("secp256k1");
const otherCurveRoot = kit.forge({
  subject: "curve",
  key: otherCurve,
  extensions: kit.authorityExtensions("any"),
});

interface Denied {
  readonly title: string;
  readonly chain: readonly Uint8Array[];
  readonly code: IdentityErrorCode;
  readonly roots?: readonly Uint8Array[];
  readonly at?: number;
  /** Refused by us alone: openssl does not look at this. */
  readonly isOurs?: true;
}

const denied: readonly Denied[] = [
  {
    title: "attack-4 a root of RSA-1024",
    chain: [weak.leaf],
    roots: [weak.der],
    code: "chain_signature_invalid",
    isOurs: true,
  },
  {
    title: "attack-4 a root on another curve",
    chain: [leaf({ name: "curve", key: otherCurve })],
    roots: [otherCurveRoot],
    code: "chain_signature_invalid",
    isOurs: true,
  },
  { title: "an empty chain", chain: [], code: "chain_length_invalid", isOurs: true },
  {
    title: "a chain that is too long",
    chain: Array.from({ length: chainLengthMax + 1 }, () => good[0]!),
    code: "chain_length_invalid",
    isOurs: true,
  },
  { title: "no roots at all", chain: good, roots: [], code: "chain_not_rooted", isOurs: true },
  {
    title: "another root",
    chain: good,
    roots: [issuer.der.slice(0, 40)],
    code: "chain_not_rooted",
    isOurs: true,
  },
  {
    title: "a self-signed leaf",
    chain: [leaf({ name: "", key: otherKey.key }, { key: otherKey.key })],
    code: "chain_not_rooted",
  },
  {
    title: "a chain with a gap",
    chain: [good[0]!, intermediate.der],
    code: "chain_issuer_mismatch",
  },
  { title: "a chain without its issuers", chain: [good[0]!], code: "chain_not_rooted" },
  {
    title: "a chain in another order",
    chain: [good[0]!, intermediate.der, issuer.der],
    code: "chain_not_rooted",
    isOurs: true,
  },
  {
    title: "a root of the same name with another key",
    chain: good,
    roots: [elsewhere.der],
    code: "chain_signature_invalid",
  },
  {
    title: "attack-12 a leaf signed by another key in the issuer's name",
    chain: [leaf(otherKey), issuer.der, intermediate.der],
    code: "chain_signature_invalid",
  },
  {
    title: "a leaf that names another key of its issuer",
    chain: [
      leaf(keyed, { extensions: [...kit.leafExtensions(id), namesKey] }),
      keyed.der,
      intermediate.der,
    ],
    code: "chain_issuer_mismatch",
  },
  {
    title: "attack-16 a workload that signs as an authority",
    chain: [leaf(workload), workload.der, issuer.der, intermediate.der],
    code: "chain_issuer_not_authority",
  },
  {
    title: "attack-16 an issuer without basicConstraints",
    chain: under([kit.keyUsage(0x06)]),
    code: "chain_issuer_not_authority",
  },
  {
    title: "attack-16 an issuer whose basicConstraints is not critical",
    chain: under([kit.basicConstraints(0, false), kit.keyUsage(0x06)]),
    code: "chain_issuer_not_authority",
    isOurs: true,
  },
  {
    title: "attack-16 an issuer that may not sign certificates",
    chain: under([kit.basicConstraints(0), kit.keyUsage(0x82)]),
    code: "chain_issuer_not_authority",
  },
  {
    title: "attack-16 an issuer without key usage",
    chain: under([kit.basicConstraints(0)]),
    code: "chain_issuer_not_authority",
    isOurs: true,
  },
  {
    title: "attack-16 an issuer for servers alone, in a client's chain",
    chain: under([...authority, kit.extendedKeyUsage(oid.serverAuth)]),
    code: "chain_issuer_not_authority",
  },
  {
    title: "an issuer below an issuer of path length 0",
    chain: [leaf(second), second.der, issuer.der, intermediate.der],
    code: "chain_path_too_long",
  },
  {
    title: "a trust domain that the issuer may not name",
    chain: within("other.local"),
    code: "chain_name_not_permitted",
  },
  {
    title: "hosts below when one host is permitted",
    chain: within(".cluster.local"),
    code: "chain_name_not_permitted",
  },
  {
    title: "a constraint that is part of the name",
    chain: within("local"),
    code: "chain_name_not_permitted",
  },
  { title: "an empty permission", chain: within(""), code: "chain_name_not_permitted" },
  {
    title: "an excluded trust domain",
    chain: under([...authority, kit.nameConstraints(["cluster.local"], ["cluster.local"])]),
    code: "chain_name_not_permitted",
  },
  {
    title: "an exclusion of everything below",
    chain: under([...authority, kit.nameConstraints([], [".local"])]),
    code: "chain_name_not_permitted",
  },
  {
    title: "constraints that are not critical",
    chain: under([...authority, kit.nameConstraints(["cluster.local"], [], false)]),
    code: "chain_name_not_permitted",
    isOurs: true,
  },
  {
    title: "constraints on whole names",
    chain: under([...authority, dnsOnly]),
    code: "chain_name_not_permitted",
    isOurs: true,
  },
  {
    title: "attack-7 another trust domain",
    chain: foreign("other.local"),
    code: "chain_trust_domain_foreign",
  },
  {
    title: "attack-7 a trust domain that begins like ours",
    chain: foreign("cluster.local.evil"),
    code: "chain_trust_domain_foreign",
  },
  {
    title: "attack-7 a trust domain that ends like ours",
    chain: foreign("evil.cluster.local"),
    code: "chain_trust_domain_foreign",
  },
  {
    title: "a leaf whose life has not begun",
    chain: good,
    at: now - hour - 1000,
    code: "chain_not_yet_valid",
  },
  {
    title: "a leaf whose life has ended",
    chain: good,
    at: now + hour + 1000,
    code: "chain_expired",
  },
  { title: "a leaf at the end of its life", chain: good, at: now + hour, code: "chain_expired" },
  {
    title: "an issuer whose life has ended",
    chain: under(constrained, { notAfter: now - 1000 }),
    code: "chain_expired",
  },
  {
    title: "an issuer whose life has not begun",
    chain: under(constrained, { notBefore: now + 1000 }),
    code: "chain_not_yet_valid",
  },
  {
    title: "an unknown critical extension of an authority",
    chain: under([...constrained, kit.extension("1.2.3.4", true, encode.encodeSequence())]),
    code: "extension_critical_unknown",
  },
];

for (const { title, chain, roots, at, code, isOurs } of denied) {
  const words = title.startsWith("attack-")
    ? title.replace(" ", " verifyChain refuses ")
    : `verifyChain refuses ${title}`;
  test(isOurs === true ? words : `${words}, and so does openssl`, (t) => {
    const error = t.throws(() => verify(chain, [...(roots ?? [root.der])], at), {
      instanceOf: IdentityError,
    });
    t.is(error.code, code, error.message);
    if (isOurs !== true) t.not(opensslVerdict(chain, roots ?? [root.der], at ?? now), "OK");
  });
}

test("verifyChain refuses a root whose own life has ended", (t) => {
  const old = kit.makeAuthority("old", null, kit.authorityExtensions("any"), {
    notAfter: now - 1000,
  });
  t.throws(() => verify([leaf(old)], [old.der]), { code: "chain_expired" });
});

test("verifyChain refuses a leaf that is listed as a root", (t) => {
  const key = kit.newKey();
  const self = leaf({ name: "", key }, { key });
  t.throws(() => verify([self], [self]), { code: "chain_issuer_not_authority" });
});

test("verifyChain takes .host for what lies below it, as openssl does", (t) => {
  const own = kit.makeAuthority("issuer", intermediate, [
    ...authority,
    kit.nameConstraints([".local"]),
  ]);
  const chain = [leaf(own), own.der, intermediate.der];
  t.is(opensslVerdict(chain, [root.der], now), "OK");
  t.notThrows(() => verify(chain));
});

test("openssl takes what verifyChain takes", (t) => {
  t.is(opensslVerdict(good, [root.der], now), "OK");
});

test("property: a chain with a changed byte is refused", (t) => {
  const place = fc.record({
    which: fc.nat(2),
    at: fc.nat(),
    mask: fc.integer({ min: 1, max: 255 }),
  });
  fc.assert(
    fc.property(place, ({ which, at, mask }) => {
      const chain = good.map((der) => Uint8Array.from(der));
      const target = chain[which]!;
      target[at % target.length]! ^= mask;
      t.throws(() => verify(chain), { instanceOf: IdentityError });
    }),
    fuzzOptions(t, 300),
  );
});
