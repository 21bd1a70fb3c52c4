import { createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import test from "ava";
import { createCsr } from "#/identity/csr.ts";
import { parseSpiffeId, workloadId } from "#/identity/spiffe-id.ts";
import { readLeaf } from "#/identity/svid.ts";
import { verifyChain } from "#/identity/verify.ts";
import { createFixture, newCsr, startMs, trustDomain } from "#/test/kit/certificate-authority.ts";
import type { AuthorityFixture, PodFixture } from "#/test/kit/certificate-authority.ts";
import type { CaErrorCode } from "./ca-error.ts";
import type { CertifyRequest } from "./service.ts";

/** With a request made for the token that it has in the end. */
async function requestOf(
  fixture: AuthorityFixture,
  pod: PodFixture,
  change: Partial<CertifyRequest> = {},
): Promise<CertifyRequest> {
  const token = change.token ?? (await fixture.token(pod));
  return {
    csr: newCsr(token).csr,
    token,
    lifetimeS: 0,
    serving: false,
    peerAddress: "10.0.0.7",
    ...change,
  };
}

test("certify issues the identity of the token, for 15 minutes, back-dated a minute", async (t) => {
  await using fixture = await createFixture();
  const pod = fixture.addPod();
  const token = await fixture.token(pod);
  const { csr, privateKey } = newCsr(token);
  const response = await fixture.ca.certify(await requestOf(fixture, pod, { csr, token }));
  const leaf = verifyChain(response.certificateChain, response.trustBundle, startMs, {
    trustDomain,
    purpose: "client",
  });
  t.is(leaf.id, workloadId(trustDomain, "app-a", "app-a"));
  t.is(leaf.notBefore, startMs - 60_000);
  t.is(leaf.notAfter, startMs + 900_000);
  t.is(response.notAfter, leaf.notAfter);
  t.is(response.certificateChain.length, 3);
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  t.deepEqual(Buffer.from(leaf.publicKey), publicKey);
  t.true(new X509Certificate(response.certificateChain[0]!).checkPrivateKey(privateKey));
});

test("certify takes an IPv4 address that comes as IPv6", async (t) => {
  await using fixture = await createFixture();
  const request = await requestOf(fixture, fixture.addPod(), { peerAddress: "::ffff:10.0.0.7" });
  t.is((await fixture.ca.certify(request)).receipt.index, 0);
});

test("certify is recorded before it answers, with who asked and what was issued", async (t) => {
  await using fixture = await createFixture();
  const pod = fixture.addPod();
  const response = await fixture.ca.certify(await requestOf(fixture, pod));
  const [record, ...others] = fixture.ledger.query({ namespace: "app-a" });
  t.is(others.length, 0);
  t.like(record, {
    index: response.receipt.index,
    id: "spiffe://cluster.local/ns/app-a/sa/app-a",
    pod: "app-a-1",
    podUid: pod.uid,
    address: "10.0.0.7",
    notAfter: response.notAfter,
  });
  t.regex(record!.tokenHash, /^[0-9a-f]{64}$/);
  t.deepEqual(Buffer.from(record!.certificate), Buffer.from(response.certificateChain[0]!));
});

test("certify counts what it issued and what it refused, by reason", async (t) => {
  await using fixture = await createFixture();
  const pod = fixture.addPod();
  await fixture.ca.certify(await requestOf(fixture, pod));
  const request = await requestOf(fixture, pod, { peerAddress: "10.0.0.8" });
  await t.throwsAsync(fixture.ca.certify(request), { code: "address_mismatch" });
  const text = fixture.registry.expose();
  t.regex(text, /^signet_ca_certificates_issued_total 1$/m);
  t.regex(text, /^signet_ca_requests_refused_total\{reason="address_mismatch"\} 1$/m);
});

test("certify gives the life that is asked for, within the bounds", async (t) => {
  await using fixture = await createFixture();
  const pod = fixture.addPod();
  for (const lifetimeS of [30, 3_600, 80_000]) {
    const response = await fixture.ca.certify(await requestOf(fixture, pod, { lifetimeS }));
    t.is(response.notAfter, startMs + lifetimeS * 1000);
  }
});

test("issueOwn certifies the controller itself, by the same signer, check and ledger", async (t) => {
  await using fixture = await createFixture();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const id = parseSpiffeId("spiffe://cluster.local/ns/signet-system/sa/signet-controller");
  const own = { id, pod: "controller-0", podUid: "uid-0", address: "10.0.0.2" };
  const svid = await fixture.ca.issueOwn(privateKey, own);
  const facts = verifyChain(svid.chain, [fixture.root.certificate], startMs, {
    trustDomain,
    purpose: "server",
  });
  t.is(facts.id, id);
  t.is(svid.logIndex, 0);
  t.is(fixture.ledger.query({ pod: "controller-0" }).length, 1);
});

const foreign = parseSpiffeId("spiffe://cluster.local/ns/app-b/sa/app-b");
const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

type Change = (fixture: AuthorityFixture, pod: PodFixture) => Promise<Partial<CertifyRequest>>;
const denials: readonly (readonly [string, CaErrorCode, Change])[] = [
  [
    "attack-1 a CSR for another identity",
    "csr_asks_for_identity",
    async (fixture, pod) => {
      const token = await fixture.token(pod);
      return { token, csr: createCsr(newKey(), { id: foreign, token }) };
    },
  ],
  [
    "attack-4 a CSR of a megabyte",
    "csr_invalid",
    async () => ({ csr: new Uint8Array(1_048_576), token: "x" }),
  ],
  ["attack-4 a CSR that is none", "csr_invalid", async () => ({ csr: Uint8Array.of(0x30, 0) })],
  [
    "attack-4 a CSR whose signature is wrong",
    "csr_invalid",
    async () => ({
      csr: newCsr("").csr.map((byte, at, all) => byte ^ (at === all.length - 1 ? 1 : 0)),
    }),
  ],
  [
    "attack-8 a token whose account is not the pod's",
    "service_account_mismatch",
    async (fixture, pod) => ({ token: await fixture.token({ ...pod, serviceAccount: "app-b" }) }),
  ],
  [
    "attack-8 a token whose account differs where a pattern would not",
    "service_account_mismatch",
    async (fixture) => {
      const pod = fixture.addPod({ name: "dots", serviceAccount: "a.b" });
      return { token: await fixture.token({ ...pod, serviceAccount: "axb" }) };
    },
  ],
  [
    "attack-9 a token for another audience",
    "token_audience_wrong",
    async (fixture, pod) => ({ token: await fixture.token(pod, { aud: ["api"] }) }),
  ],
  [
    "attack-9 a token that has expired",
    "token_expired",
    async (fixture, pod) => {
      const token = await fixture.token(pod);
      fixture.clock.jump(601_000);
      return { token };
    },
  ],
  [
    "attack-9 a token of a pod that is gone",
    "pod_unknown",
    async (fixture, pod) => {
      fixture.pods.clear();
      return { token: await fixture.token(pod) };
    },
  ],
  [
    "attack-9 a token of a pod that was replaced under its name",
    "pod_uid_mismatch",
    async (fixture, pod) => {
      const token = await fixture.token(pod);
      fixture.addPod();
      return { token };
    },
  ],
  [
    "attack-9 a token of a pod that has finished",
    "pod_not_live",
    async (fixture) => ({ token: await fixture.token(fixture.addPod({ isLive: false })) }),
  ],
  [
    "attack-10 a token replayed from another pod",
    "address_mismatch",
    async () => ({ peerAddress: "10.0.0.8" }),
  ],
  [
    "attack-10 a CSR that is bound to no token",
    "csr_not_bound",
    async () => ({ csr: createCsr(newKey()) }),
  ],
  [
    "attack-10 a CSR that was made for another pod's token",
    "csr_not_bound",
    async (fixture) => {
      const victim = fixture.addPod({ name: "app-a-2", addresses: ["10.0.0.9"] });
      return { csr: newCsr(await fixture.token(victim)).csr };
    },
  ],
  [
    "attack-10 a CSR that was made for the pod's token of before",
    "csr_not_bound",
    async (fixture, pod) => {
      const { csr } = newCsr(await fixture.token(pod));
      fixture.clock.jump(1_000);
      return { csr, token: await fixture.token(pod) };
    },
  ],
  [
    "attack-11 a caller on the controller's own loopback",
    "address_mismatch",
    async () => ({ peerAddress: "127.0.0.1" }),
  ],
  ["attack-55 no token at all", "token_invalid", async () => ({ token: "" })],
  [
    "attack-55 a token that its sender has signed",
    "token_invalid",
    async (fixture, pod) => ({ token: await fixture.token(pod, {}, newKey()) }),
  ],
  ["a life below 30 s", "lifetime_out_of_range", async () => ({ lifetimeS: 29 })],
  ["a life above a day", "lifetime_out_of_range", async () => ({ lifetimeS: 86_401 })],
  [
    "a life that is no number of seconds",
    "lifetime_out_of_range",
    async () => ({ lifetimeS: 60.5 }),
  ],
  ["a negative life", "lifetime_out_of_range", async () => ({ lifetimeS: -900 })],
];

for (const [title, code, change] of denials) {
  const attack = /^attack-\d+ /.exec(title)?.[0] ?? "";
  test(`${attack}certify refuses ${title.slice(attack.length)}`, async (t) => {
    await using fixture = await createFixture();
    const pod = fixture.addPod();
    const request = await requestOf(fixture, pod, await change(fixture, pod));
    await t.throwsAsync(fixture.ca.certify(request), { name: "CaError", code });
    t.is(fixture.ledger.size(), 0);
  });
}

test("certify refuses a wrong life before it looks at the token", async (t) => {
  await using fixture = await createFixture();
  const request = {
    csr: newCsr("").csr,
    token: "",
    lifetimeS: 29,
    serving: false,
    peerAddress: "10.0.0.7",
  };
  await t.throwsAsync(fixture.ca.certify(request), { code: "lifetime_out_of_range" });
});

test("attack-12 certify hands out and records nothing that was signed by another key", async (t) => {
  await using fixture = await createFixture({
    wrapIssuer: (issuer) => ({ current: () => ({ ...issuer.current(), privateKey: newKey() }) }),
  });
  const request = await requestOf(fixture, fixture.addPod());
  await t.throwsAsync(fixture.ca.certify(request), { code: "issued_unsound" });
  t.is(fixture.ledger.size(), 0);
});

test("attack-10 certify answers a request once: recorded and sent again, from the pod itself, it is refused", async (t) => {
  await using fixture = await createFixture();
  const request = await requestOf(fixture, fixture.addPod());
  await fixture.ca.certify(request);
  await t.throwsAsync(fixture.ca.certify(request), { code: "key_reused" });
  t.is(fixture.ledger.size(), 1);
});

test("attack-10 certify answers a request once, also when it comes ten times in the same turn", async (t) => {
  await using fixture = await createFixture();
  const request = await requestOf(fixture, fixture.addPod());
  const all = Array.from({ length: 10 }, () => fixture.ca.certify(request));
  const outcomes = await Promise.allSettled(all);
  t.is(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  t.is(fixture.ledger.size(), 1);
});

test("attack-10 certify certifies a key once, whoever has it, with whatever token", async (t) => {
  await using fixture = await createFixture();
  const first = fixture.addPod();
  const key = newKey();
  const requestWith = async (pod: PodFixture, peerAddress: string): Promise<CertifyRequest> => {
    const token = await fixture.token(pod);
    return requestOf(fixture, pod, { token, csr: createCsr(key, { token }), peerAddress });
  };
  await fixture.ca.certify(await requestWith(first, "10.0.0.7"));
  fixture.clock.jump(1_000);
  const again = await requestWith(first, "10.0.0.7");
  await t.throwsAsync(fixture.ca.certify(again), { code: "key_reused" });
  const second = fixture.addPod({ name: "app-a-2", addresses: ["10.0.0.9"] });
  const stolen = await requestWith(second, "10.0.0.9");
  await t.throwsAsync(fixture.ca.certify(stolen), { code: "key_reused" });
  t.is(fixture.ledger.size(), 1);
});

test("certify answers nothing when the ledger cannot be written", async (t) => {
  await using fixture = await createFixture();
  const request = await requestOf(fixture, fixture.addPod());
  await fixture.ledger[Symbol.asyncDispose]();
  await t.throwsAsync(fixture.ca.certify(request), { code: "ledger_failed" });
});

test("attack-18 certify refuses once the issuer has ended, rather than issue what nobody takes", async (t) => {
  await using fixture = await createFixture({ intermediateLifeMs: 3_600_000 });
  fixture.clock.jump(3_600_000);
  const request = await requestOf(fixture, fixture.addPod());
  await t.throwsAsync(fixture.ca.certify(request), { code: "issuer_expired" });
});

test("attack-18 a sidecar whose clock is a minute behind accepts its new certificate", async (t) => {
  await using fixture = await createFixture();
  const response = await fixture.ca.certify(await requestOf(fixture, fixture.addPod()));
  const { certificateChain, trustBundle } = response;
  const options = { trustDomain, purpose: "client" } as const;
  t.notThrows(() => verifyChain(certificateChain, trustBundle, startMs - 60_000, options));
  t.throws(() => verifyChain(certificateChain, trustBundle, startMs - 61_000, options), {
    code: "chain_not_yet_valid",
  });
});

test("certify grants a serving certificate to who serves, and no sidecar takes it for an identity", async (t) => {
  await using fixture = await createFixture();
  const pod = fixture.addPod({ namespace: "signet-system", serviceAccount: "hook" });
  const response = await fixture.ca.certify(await requestOf(fixture, pod, { serving: true }));
  const [leaf] = response.certificateChain;
  const certificate = new X509Certificate(leaf!);
  t.is(certificate.subjectAltName, "DNS:hook.signet-system.svc");
  t.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  t.throws(() => readLeaf(leaf!), { code: "leaf_extended_key_usage_invalid" });
  const purpose = { trustDomain, purpose: "server" } as const;
  t.throws(() => verifyChain(response.certificateChain, response.trustBundle, startMs, purpose));
});

test("attack-2 certify refuses a serving certificate to whoever serves under no name", async (t) => {
  await using fixture = await createFixture();
  const request = await requestOf(fixture, fixture.addPod(), { serving: true });
  await t.throwsAsync(fixture.ca.certify(request), { code: "serving_not_granted" });
});
