import test from "ava";
import { emptySnapshot } from "#/api/snapshot.ts";
import type { Snapshot } from "#/api/snapshot.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { readiness } from "./readiness.ts";
import { makeCredentials } from "./tls/credentials.ts";
import type { Credentials } from "./tls/credentials.ts";

const authority = await createAuthority();
const svid = await authority.issue("spiffe://cluster.local/ns/a/sa/a");
const trustDomain = parseTrustDomain("cluster.local");
const credentials = makeCredentials(svid, { trustDomain, roots: [authority.root] });
const policy = {
  mode: "strict",
  ports: new Map(),
  requiresPostQuantum: false,
  source: "test",
} as const;
const whole: Snapshot = { ...emptySnapshot, policy, synced: true };
const end = credentials.notAfter;

test("readiness is given with a certificate, a policy and all that was sent", (t) => {
  t.deepEqual(readiness(credentials, whole, end - 1, false), { ready: true, reason: "" });
});

const rows: readonly [string, Credentials | null, Snapshot, number, boolean, RegExp][] = [
  ["attack-32 before the first certificate", null, whole, 0, false, /no certificate/],
  ["attack-32 before the first policy", credentials, emptySnapshot, 0, false, /no policy/],
  ["before everything was sent", credentials, { ...whole, synced: false }, 0, false, /everything/],
  ["attack-17 from the end of the certificate on", credentials, whole, end, false, /has ended/],
  ["while draining", credentials, whole, 0, true, /draining/],
];
for (const [when, held, snapshot, now, draining, reason] of rows) {
  test(`readiness is refused ${when}, with a reason`, (t) => {
    const answer = readiness(held, snapshot, now, draining);
    t.false(answer.ready);
    t.regex(answer.reason, reason);
  });
}
