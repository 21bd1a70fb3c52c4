// What applications are told of federated trust domains: their roots, their keys for tokens, and whose token is
// whose. Each is verified by its own, and by nobody else's.
import { generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import test from "ava";
import type { ExecutionContext } from "ava";
import { SignJWT } from "jose";
import type { FederatedBundles } from "#/api/discovery.ts";
import * as wire from "#/api/gen/spiffe/workload_pb.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { evil, root } from "#/test/kit/certifier.ts";
import { status } from "#/test/kit/workload-client.ts";
import { certified } from "#/test/kit/workload-site.ts";
import type { Site } from "#/test/kit/workload-site.ts";

const partner = parseTrustDomain("partner.mesh");
const partnerId = "spiffe://partner.mesh";
const ownId = "spiffe://cluster.local";

interface TokenKey {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
}

function keyNamed(keyId: string): TokenKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const der = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  return { keyId, publicKey: der, privateKey };
}

const ours = keyNamed("ours");
const theirs = keyNamed("theirs");
const authorityOf = ({ keyId, publicKey }: TokenKey) => ({ keyId, publicKey });
const federated: FederatedBundles = new Map([
  [partner, { trustDomain: partner, roots: [evil.der], jwtAuthorities: [authorityOf(theirs)] }],
]);

async function told(t: ExecutionContext, more: FederatedBundles = federated): Promise<Site> {
  const site = await certified(t);
  site.api.trust({ roots: [root.der] }, [authorityOf(ours)], more);
  return site;
}

function tokenOf(site: Site, sub: string, by: TokenKey): Promise<string> {
  const iat = Math.floor(site.fixture.truth.now() / 1000);
  return new SignJWT({ sub, aud: ["b"], iat, exp: iat + 300 })
    .setProtectedHeader({ alg: "ES256", kid: by.keyId, typ: "JWT" })
    .sign(by.privateKey);
}

function validate(site: Site, svid: string) {
  const request = create(wire.ValidateJWTSVIDRequestSchema, { audience: "b", svid });
  const bytes = toBinary(wire.ValidateJWTSVIDRequestSchema, request);
  return site.client().call("ValidateJWTSVID", bytes);
}

test("X.509-SVIDs come with the roots of federated trust domains, and again without them", async (t) => {
  const site = await told(t);
  const call = site.client().call("FetchX509SVID");
  const first = await call.answer(wire.X509SVIDResponseSchema);
  t.deepEqual(Object.keys(first.federatedBundles), [partnerId]);
  t.deepEqual(new Uint8Array(first.federatedBundles[partnerId]!), new Uint8Array(evil.der));
  t.deepEqual(
    new Uint8Array(first.svids[0]!.bundle),
    new Uint8Array(root.der),
    "and not among ours",
  );
  site.api.trust({ roots: [root.der] }, [authorityOf(ours)], new Map());
  const second = await call.answer(wire.X509SVIDResponseSchema, 2);
  t.deepEqual(Object.keys(second.federatedBundles), []);
});

test("bundles of X.509 and of tokens are told by trust domain", async (t) => {
  const site = await told(t);
  const x509 = await site.client().call("FetchX509Bundles").answer(wire.X509BundlesResponseSchema);
  t.deepEqual(Object.keys(x509.bundles).sort(), [ownId, partnerId]);
  t.deepEqual(new Uint8Array(x509.bundles[ownId]!), new Uint8Array(root.der));
  const jwt = await site.client().call("FetchJWTBundles").answer(wire.JWTBundlesResponseSchema);
  const keysOf = (name: string): readonly string[] => {
    const { keys } = JSON.parse(Buffer.from(jwt.bundles[name]!).toString()) as {
      keys: { kid: string }[];
    };
    return keys.map(({ kid }) => kid);
  };
  t.deepEqual([keysOf(ownId), keysOf(partnerId)], [["ours"], ["theirs"]]);
});

test("a token of a federated trust domain counts by that domain's own key", async (t) => {
  const site = await told(t);
  const token = await tokenOf(site, `${partnerId}/ns/a/sa/a`, theirs);
  const { spiffeId } = await validate(site, token).answer(wire.ValidateJWTSVIDResponseSchema);
  t.is(spiffeId, `${partnerId}/ns/a/sa/a`);
  const own = await tokenOf(site, `${ownId}/ns/a/sa/a`, ours);
  const answer = await validate(site, own).answer(wire.ValidateJWTSVIDResponseSchema);
  t.is(answer.spiffeId, `${ownId}/ns/a/sa/a`);
});

const refused: readonly (readonly [string, string, TokenKey, FederatedBundles])[] = [
  ["of ours by a federated trust domain's key", ownId, theirs, federated],
  ["of a federated trust domain by our key", partnerId, ours, federated],
  ["of a third trust domain by a federated one's key", "spiffe://third.mesh", theirs, federated],
  ["of a trust domain that is federated no more", partnerId, theirs, new Map()],
];
for (const [what, domain, by, more] of refused) {
  test(`attack-7 ValidateJWTSVID refuses a token ${what}`, async (t) => {
    const site = await told(t, more);
    const call = validate(site, await tokenOf(site, `${domain}/ns/a/sa/a`, by));
    t.is((await call.ended).status, status.invalidArgument);
    t.is(call.answers.length, 0);
  });
}
