// Authorities with ML-DSA-65 keys, above issuers and leaves of P-256: made by us, read by Node's OpenSSL, by
// our verifier, and in a handshake of two sidecars.
import { createPublicKey, randomBytes, X509Certificate } from "node:crypto";
import test from "ava";
import { readCertificate } from "#/identity/certificate.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { verifyChain } from "#/identity/verify.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { trustDomain } from "#/test/kit/certificate-authority.ts";
import { handshakeVerdict } from "#/test/kit/chains/handshake.ts";
import { newKey, spkiOf } from "#/test/kit/forge.ts";
import { createLink, createRoot } from "./authority-certificate.ts";
import { readAuthority, writeAuthority } from "./authority-pem.ts";
import { IssuerSource } from "./issuer.ts";
import { jwtKeyAt, jwtKeyLifeMs } from "./jwt-keys.ts";
import { makeIntermediate, makeRoot } from "./mesh-authorities.ts";
import { serialBytes, signLeaf } from "./signer.ts";

const key = newKey();
const id = workloadId(trustDomain, "app-a", "app-a");

/** Root, intermediate, issuer, and a leaf of `id` for `key`. */
async function hierarchy() {
  const now = systemClock.now();
  const root = await makeRoot(trustDomain, now, "ml-dsa-65");
  const intermediate = await makeIntermediate(root, trustDomain, now);
  const roots = [root.certificate];
  const world = { clock: systemClock, random: () => 0.5, randomBytes, log: silentLog };
  const source = await IssuerSource.start({ trustDomain, intermediate, roots, ...world });
  source.stop();
  const issuer = source.current();
  const times = { notBefore: issuer.notBefore, notAfter: issuer.notAfter };
  const template = { id, dnsNames: [], publicKey: spkiOf(key), ...times };
  const leaf = signLeaf(template, issuer, randomBytes(serialBytes));
  return { root, intermediate, roots, chain: [leaf, ...issuer.chain], times };
}

test("an ML-DSA-65 root and intermediate certify P-256 issuers: OpenSSL reads what we say", async (t) => {
  const { root, intermediate, chain } = await hierarchy();
  const [above, between, issuer] = [root.certificate, intermediate.certificate, chain[1]!].map(
    (der) => new X509Certificate(der),
  );
  t.is(above!.publicKey.asymmetricKeyType as string, "ml-dsa-65");
  t.is(issuer!.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  t.true(above!.verify(above!.publicKey));
  t.true(between!.verify(above!.publicKey) && between!.checkIssued(above!) && between!.ca);
  t.true(issuer!.verify(between!.publicKey) && issuer!.checkIssued(between!) && issuer!.ca);
  const other = await makeRoot(trustDomain, 0, "ml-dsa-65");
  t.false(between!.verify(createPublicKey(other.privateKey)));
  t.regex(above!.subject, /^O=cluster\.local\nCN=signet root of cluster\.local$/);
});

test("verifyChain takes a chain under ML-DSA-65, and none whose authority has a changed byte", async (t) => {
  const { chain, roots } = await hierarchy();
  const verify = (changed: readonly Uint8Array[]) =>
    verifyChain(changed, roots, systemClock.now(), { trustDomain, purpose: "client" });
  t.is(verify(chain).id, id);
  for (const which of [1, 2]) {
    for (const fromEnd of [1, 700, 3000]) {
      const changed = chain.map((der) => Uint8Array.from(der));
      changed[which]!.set([changed[which]!.at(-fromEnd)! ^ 1], changed[which]!.length - fromEnd);
      t.throws(() => verify(changed), { name: "IdentityError" }, `${which} at -${fromEnd}`);
    }
  }
});

test("a sidecar takes a caller under ML-DSA-65, and refuses one under another such root", async (t) => {
  const [ours, theirs] = await Promise.all([hierarchy(), hierarchy()]);
  const common = { id, privateKey: key, serial: "41", logIndex: null, ...ours.times };
  const own: Svid = { ...common, chain: ours.chain };
  const verdict = (chain: readonly Uint8Array[]): Promise<string> =>
    handshakeVerdict(
      { own, trustDomain, roots: ours.roots },
      { title: "", verdict: "accepted", chain, key },
    );
  t.is(await verdict(ours.chain), "accepted");
  t.regex(await verdict(theirs.chain), /^peer_certificate_untrusted/);
});

test("an ML-DSA-65 authority is written as PEM and read again, with its own key alone", async (t) => {
  const { root, intermediate } = await hierarchy();
  const [one, other] = [writeAuthority(root), writeAuthority(intermediate)];
  t.deepEqual(readAuthority(one.certificate, one.privateKey).certificate, root.certificate);
  t.throws(() => readAuthority(one.certificate, other.privateKey), { code: "authority_invalid" });
});

test("the keys of a day's tokens come from an ML-DSA-65 intermediate, too, and from it alone", async (t) => {
  const [ours, theirs] = await Promise.all([hierarchy(), hierarchy()]);
  const dayOf = ({ intermediate }: typeof ours, now: number): string =>
    jwtKeyAt(intermediate.privateKey, trustDomain, now).keyId;
  const again = readAuthority(...pemOf(ours.intermediate));
  t.is(jwtKeyAt(again.privateKey, trustDomain, 0).keyId, dayOf(ours, 0));
  t.not(dayOf(theirs, 0), dayOf(ours, 0));
  t.not(dayOf(ours, jwtKeyLifeMs), dayOf(ours, 0));
});

function pemOf(authority: Parameters<typeof writeAuthority>[0]): [string, string] {
  const { certificate, privateKey } = writeAuthority(authority);
  return [certificate, privateKey];
}

test("a present ML-DSA-65 root certifies the next one's name and key, whatever its kind", async (t) => {
  const now = systemClock.now();
  const present = await makeRoot(trustDomain, now, "ml-dsa-65");
  for (const keys of ["ml-dsa-65", "p-256"] as const) {
    const next = await makeRoot(trustDomain, now, keys);
    const link = new X509Certificate(await createLink(present, next.certificate));
    const [above, below] = [present, next].map((one) => new X509Certificate(one.certificate));
    t.true(link.verify(above!.publicKey) && link.checkIssued(above!), keys);
    t.true(link.publicKey.equals(below!.publicKey), keys);
    const subject = (der: Uint8Array): string =>
      Buffer.from(readCertificate(der).subject.whole).toString("hex");
    t.is(subject(link.raw), subject(next.certificate), keys);
  }
});

test("authorities of both kinds say the same", async (t) => {
  const request = { name: "root", trustDomain, notBefore: 0, notAfter: 1000 };
  const [classical, quantum] = await Promise.all(
    (["p-256", "ml-dsa-65"] as const).map(async (keys) =>
      readCertificate((await createRoot({ ...request, keys })).certificate),
    ),
  );
  const told = ({ extensions, notBefore, notAfter }: NonNullable<typeof classical>) => ({
    extensions: extensions.map(({ oid, critical, value }) => [oid, critical, value.whole.length]),
    notBefore,
    notAfter,
  });
  t.deepEqual(told(quantum!), told(classical!));
});
