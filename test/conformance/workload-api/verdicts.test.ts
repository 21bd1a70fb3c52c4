// Chains with one fault each, judged by go-spiffe's x509svid.Verify and by us: what it refuses we refuse.
import path from "node:path";
import test from "ava";
import { oid } from "#/identity/object-identifiers.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { verifyChain } from "#/identity/verify.ts";
import { succeed } from "../../cluster/command.ts";
import * as forge from "../../kit/forge.ts";

const trustDomain = parseTrustDomain("cluster.local");
const id = "spiffe://cluster.local/ns/app-a/sa/app-a";
const now = Date.now();
const hourMs = 3_600_000;
const times = { notBefore: now - hourMs, notAfter: now + hourMs };

const root = forge.makeAuthority("root", null, forge.authorityExtensions("any"), times);
const stranger = forge.makeAuthority("root", null, forge.authorityExtensions("any"), times);
const issuerLike = (extensions: readonly Uint8Array[], options: Partial<forge.ForgeOptions> = {}) =>
  forge.makeAuthority("issuer", root, extensions, { ...times, ...options });
const issuer = issuerLike(forge.authorityExtensions(0));

function leaf(
  extensions: readonly Uint8Array[] = forge.leafExtensions(id),
  options: Partial<forge.ForgeOptions> = {},
): Uint8Array {
  return forge.forge({
    subject: "",
    key: forge.newKey(),
    issuer,
    extensions,
    ...times,
    ...options,
  });
}

function under(signer: typeof issuer): readonly Uint8Array[] {
  return [leaf(forge.leafExtensions(id), { issuer: signer }), signer.der];
}

const both = forge.extendedKeyUsage(oid.serverAuth, oid.clientAuth);
const named = (...names: readonly Uint8Array[]): readonly Uint8Array[] => [
  forge.basicConstraints("leaf"),
  forge.keyUsage(0x80),
  both,
  ...(names.length === 0 ? [] : [forge.alternativeNames(names)]),
];
const uri = (text: string): Uint8Array => forge.generalName(6, text);
const using = (usage: number): readonly Uint8Array[] => [
  forge.basicConstraints("leaf"),
  forge.keyUsage(usage),
  both,
  forge.alternativeNames([uri(id)]),
];
const second = issuerLike(forge.authorityExtensions(0));
const ended = { notBefore: now - 2 * hourMs, notAfter: now - hourMs };
const toCome = { notBefore: now + hourMs, notAfter: now + 2 * hourMs };

type Row = readonly [name: string, chain: readonly Uint8Array[], roots?: readonly Uint8Array[]];
const accepted: readonly Row[] = [
  ["leaf and issuer", [leaf(), issuer.der]],
  ["with its root", [leaf(), issuer.der, root.der]],
  ["a root of the same name beside it", [leaf(), issuer.der], [stranger.der, root.der]],
];
const refused: readonly Row[] = [
  ["no certificate", []],
  ["no root", [leaf(), issuer.der], []],
  ["a root of the same name only", [leaf(), issuer.der], [stranger.der]],
  ["no issuer", [leaf()]],
  ["another issuer", [leaf(), second.der]],
  [
    "a leaf that is an authority",
    under(issuer).with(0, leaf([forge.basicConstraints("any"), ...named(uri(id)).slice(1)])),
  ],
  ["a leaf that may sign certificates", [leaf(using(0x84)), issuer.der]],
  ["a leaf that may sign revocation lists", [leaf(using(0x82)), issuer.der]],
  ["no name", [leaf(named()), issuer.der]],
  ["no URI", [leaf(named(forge.generalName(2, "app-a"))), issuer.der]],
  ["two URIs", [leaf(named(uri(id), uri(id))), issuer.der]],
  ["a URI that is no SPIFFE ID", [leaf(named(uri("https://cluster.local/a"))), issuer.der]],
  ["a SPIFFE ID with a port", [leaf(named(uri("spiffe://cluster.local:1/a"))), issuer.der]],
  ["a SPIFFE ID with a query", [leaf(named(uri(`${id}?a=b`))), issuer.der]],
  ["a SPIFFE ID with a dot segment", [leaf(named(uri("spiffe://cluster.local/../a"))), issuer.der]],
  ["a SPIFFE ID in capitals", [leaf(named(uri("spiffe://CLUSTER.local/a"))), issuer.der]],
  ["another trust domain", [leaf(named(uri("spiffe://other.test/a"))), issuer.der]],
  ["a leaf that has ended", [leaf(undefined, ended), issuer.der]],
  ["a leaf to come", [leaf(undefined, toCome), issuer.der]],
  ["an issuer that has ended", under(issuerLike(forge.authorityExtensions(0), ended))],
  [
    "an issuer that is none",
    under(issuerLike([forge.basicConstraints("leaf"), forge.keyUsage(0x06)])),
  ],
  [
    "an issuer that may not sign",
    under(issuerLike([forge.basicConstraints(0), forge.keyUsage(0x80)])),
  ],
  [
    "a path that is too long",
    (() => {
      const below = forge.makeAuthority("below", issuer, forge.authorityExtensions(0), times);
      return [...under(below), issuer.der];
    })(),
  ],
  [
    "a name that its issuer may not give",
    under(issuerLike([...forge.authorityExtensions(0), forge.nameConstraints(["other.test"])])),
  ],
];

interface Verdict {
  readonly name: string;
  readonly id: string;
  readonly error: string;
}

async function verdictsOfGo(rows: readonly Row[]): Promise<readonly Verdict[]> {
  const folder = process.env["SIGNET_TEST_GO_SPIFFE"] ?? "";
  const base64 = (ders: readonly Uint8Array[]): readonly string[] =>
    ders.map((der) => Buffer.from(der).toString("base64"));
  const input = JSON.stringify(
    rows.map(([name, chain, roots = [root.der]]) => ({
      name,
      chain: base64(chain),
      roots: base64(roots),
    })),
  );
  const text = await succeed(path.join(folder, "go-spiffe"), ["verify"], { input });
  const lines = text.trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Verdict);
}

const ours = ([, chain, roots = [root.der]]: Row): string =>
  verifyChain(chain, roots, now, { trustDomain, purpose: "client" }).id;

test("a sound chain is taken by go-spiffe and by us, as the same identity", async (t) => {
  for (const [index, verdict] of (await verdictsOfGo(accepted)).entries()) {
    t.deepEqual(verdict, { name: accepted[index]![0], id, error: "" });
    t.is(ours(accepted[index]!), id);
  }
});

test("every chain that go-spiffe refuses we refuse", async (t) => {
  const verdicts = await verdictsOfGo(refused);
  t.is(verdicts.length, refused.length);
  for (const [index, { name, error }] of verdicts.entries()) {
    t.not(error, "", `go-spiffe takes ${name}`);
    t.throws(() => ours(refused[index]!), { name: "IdentityError" }, name);
  }
});
