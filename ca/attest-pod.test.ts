import test from "ava";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { attest } from "./attest.ts";
import type { DirectoryPod, ReviewedToken } from "./attest.ts";
import { CaError } from "./ca-error.ts";
import type { CaErrorCode } from "./ca-error.ts";

const trustDomain = parseTrustDomain("cluster.local");
const reviewed: ReviewedToken = {
  namespace: "app-a",
  serviceAccount: "app-a",
  podName: "app-a-1",
  podUid: "pod-uid",
  tokenHash: "00",
};
const pod: DirectoryPod = {
  uid: "pod-uid",
  serviceAccount: "app-a",
  node: "node-1",
  addresses: ["10.0.0.7", "fd00::7"],
  isLive: true,
};

function attested(
  options: {
    readonly token?: Partial<ReviewedToken>;
    readonly pod?: Partial<DirectoryPod> | null;
    readonly address?: string;
    readonly suspended?: string;
  } = {},
) {
  const token = { ...reviewed, ...options.token };
  const known = options.pod === null ? null : { ...pod, ...options.pod };
  return attest("token", options.address ?? "10.0.0.7", {
    reviewer: { authority: "token-review", review: () => Promise.resolve(token) },
    directory: {
      pod: (namespace, name) => (namespace === "app-a" && name === "app-a-1" ? known : null),
      isSuspended: (id) => id === options.suspended,
    },
    trustDomain,
  });
}

test("attest names the workload, from any of its pod's addresses", async (t) => {
  const ipv4 = await attested();
  t.is(String(ipv4.id), "spiffe://cluster.local/ns/app-a/sa/app-a");
  t.is(ipv4.address, "10.0.0.7");
  t.is((await attested({ address: "::ffff:10.0.0.7" })).address, "10.0.0.7");
  t.is((await attested({ address: "FD00::7" })).address, "fd00::7");
});

type AttestOptions = Parameters<typeof attested>[0];
const refusals: readonly (readonly [string, AttestOptions, CaErrorCode])[] = [
  ["attack-9 a pod that is not there", { pod: null }, "pod_unknown"],
  ["attack-8 a pod of the same name elsewhere", { token: { namespace: "app-b" } }, "pod_unknown"],
  ["attack-9 a pod that was replaced", { pod: { uid: "other" } }, "pod_uid_mismatch"],
  ["attack-9 a pod that has finished", { pod: { isLive: false } }, "pod_not_live"],
  [
    "attack-8 a pod of another account",
    { pod: { serviceAccount: "b" } },
    "service_account_mismatch",
  ],
  [
    "attack-8 an account that a pattern would match",
    { token: { serviceAccount: "app.a" } },
    "service_account_mismatch",
  ],
  [
    "a suspended identity",
    { suspended: "spiffe://cluster.local/ns/app-a/sa/app-a" },
    "identity_suspended",
  ],
  ["attack-10 another pod's address", { address: "10.0.0.8" }, "address_mismatch"],
  ["attack-10 an address that begins alike", { address: "10.0.0.70" }, "address_mismatch"],
  ["attack-10 no address", { address: "" }, "address_mismatch"],
  ["attack-10 a pod without addresses", { pod: { addresses: [] } }, "address_mismatch"],
  [
    "attack-10 no address of a pod without addresses",
    { address: "", pod: { addresses: [] } },
    "address_mismatch",
  ],
  ["attack-11 loopback", { address: "127.0.0.1" }, "address_mismatch"],
  ["attack-11 loopback of IPv6", { address: "::1" }, "address_mismatch"],
  [
    "attack-8 an account that is no name",
    { token: { serviceAccount: "a/../b" }, pod: { serviceAccount: "a/../b" } },
    "token_invalid",
  ],
];

for (const [what, options, code] of refusals) {
  test(what.replace(" ", " attest refuses "), async (t) => {
    const error = await t.throwsAsync(attested(options), { instanceOf: CaError });
    t.is(error.code, code, error.message);
  });
}

test("attest looks the pod up after the review, when it may be gone", async (t) => {
  let isThere = true;
  const attestation = attest("token", "10.0.0.7", {
    reviewer: {
      authority: "token-review",
      async review() {
        await Promise.resolve();
        isThere = false;
        return reviewed;
      },
    },
    directory: { pod: () => (isThere ? pod : null), isSuspended: () => false },
    trustDomain,
  });
  await t.throwsAsync(attestation, { code: "pod_unknown" });
});
