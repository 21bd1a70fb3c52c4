import test from "ava";
import * as fc from "fast-check";
import {
  authority,
  expectedOf,
  id,
  leaf,
  now,
  plain,
  root,
  roots,
  withLeaf,
} from "#/test/kit/chains/chain-case.ts";
import { chainCases } from "#/test/kit/chains/table.ts";
import * as kit from "#/test/kit/forge.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { opensslVerdict } from "#/test/kit/openssl.ts";
import { readCertificate } from "./certificate.ts";
import { IdentityError } from "./identity-error.ts";
import { outsideConstraints } from "./name-constraints.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { verifyChain } from "./verify.ts";

const trustDomain = parseTrustDomain("cluster.local");
const good = withLeaf({});

// test/conformance judges the same table by go-spiffe, proxy/tls/peer.test.ts by a handshake.
for (const one of chainCases) {
  const { title, chain, verdict, at = now, roots: trusted = roots } = one;
  const does = verdict === "accepted" ? "takes" : "refuses";
  const words = /^attack-\d+ /.test(title)
    ? title.replace(" ", ` verifyChain ${does} `)
    : `verifyChain ${does} ${title}`;
  const openssl = expectedOf(one, "openssl");
  const also = openssl === "accepted" ? "takes" : "refuses";
  test(`${words}; openssl ${also} it`, (t) => {
    const options = { trustDomain, purpose: "client" } as const;
    const judge = () => verifyChain(chain, trusted, at, options);
    if (verdict === "accepted") t.notThrows(judge);
    else t.is(t.throws(judge, { instanceOf: IdentityError }).code, verdict);
    const said = opensslVerdict(chain, trusted, at);
    t.is(said === "OK", openssl === "accepted", said);
  });
}

test("verifyChain gives the facts of the leaf, for both purposes", (t) => {
  for (const purpose of ["client", "server"] as const) {
    t.is(String(verifyChain(good, roots, now, { trustDomain, purpose }).id), id);
  }
});

test("verifyChain passes over what it cannot read among the roots", (t) => {
  t.notThrows(() => verify(good, [Uint8Array.of(1, 2, 3), root.der]));
});

test("verifyChain refuses a chain when nothing among the roots can be read", (t) => {
  t.throws(() => verify(good, [root.der.slice(0, 40)]), { code: "chain_not_rooted" });
});

test("outsideConstraints holds .host for hosts below it alone", (t) => {
  const own = authority("own", null, [...plain, kit.nameConstraints([".local"])]);
  const fault = (host: string): string | null => {
    const extensions = kit.leafExtensions(`spiffe://${host}/a`);
    const below = [readCertificate(leaf(own, { extensions }))];
    return outsideConstraints(below, readCertificate(own.der));
  };
  t.is(fault("a.local"), null);
  t.truthy(fault(".local"));
  t.truthy(fault("alocal"));
});

function verify(chain: readonly Uint8Array[], trusted: readonly Uint8Array[]): unknown {
  return verifyChain(chain, trusted, now, { trustDomain, purpose: "client" });
}

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
      t.throws(() => verify(chain, roots), { instanceOf: IdentityError });
    }),
    fuzzOptions(t, 300),
  );
});
