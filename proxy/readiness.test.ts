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
  foreignCallers: new Set<string>(),
  source: "test",
} as const;
const whole: Snapshot = { ...emptySnapshot, policy, synced: true };
const end = credentials.notAfter;

test("readiness is given with a certificate, a policy and all that was sent", (t) => {
  const standing = {
    credentials,
    snapshot: whole,
    nowMs: end - 1,
    draining: false,
    isListening: true,
  };
  for (const workload of ["not_asked", svid] as const) {
    t.deepEqual(readiness({ ...standing, workload }), { ready: true, reason: "" });
  }
});

test("readiness waits for the identity that the pod's processes were promised", (t) => {
  const standing = {
    credentials,
    snapshot: whole,
    nowMs: end - 1,
    draining: false,
    isListening: true,
  };
  const { ready, reason } = readiness({ ...standing, workload: null });
  t.false(ready);
  t.is(reason, "no certificate has been issued for the workload");
});

const rows: readonly [string, Credentials | null, Snapshot, number, boolean, RegExp][] = [
  ["attack-32 before the first certificate", null, whole, 0, false, /no certificate/],
  ["attack-32 before the first policy", credentials, emptySnapshot, 0, false, /no policy/],
  ["before everything was sent", credentials, { ...whole, synced: false }, 0, false, /everything/],
  ["attack-17 from the end of the certificate on", credentials, whole, end, false, /has ended/],
  ["while draining", credentials, whole, 0, true, /draining/],
];
for (const [when, held, snapshot, nowMs, draining, reason] of rows) {
  test(`readiness is refused ${when}, with a reason`, (t) => {
    const workload = "not_asked";
    const isListening = true;
    const answer = readiness({
      credentials: held,
      snapshot,
      workload,
      nowMs,
      draining,
      isListening,
    });
    t.false(answer.ready);
    t.regex(answer.reason, reason);
  });
}

test("readiness waits for a worker that is being replaced", (t) => {
  const standing = { credentials, snapshot: whole, nowMs: end - 1, draining: false };
  const { ready, reason } = readiness({ ...standing, workload: "not_asked", isListening: false });
  t.false(ready);
  t.regex(reason, /worker/);
});
