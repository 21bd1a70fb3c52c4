// The FederatedTrustDomain definition as it ships, and foreignCallers of PeerAuthentication, on a real API
// server: what they take, and the sentence with which they refuse.
import { fileURLToPath } from "node:url";
import test from "ava";
import { decodeObject } from "#/cluster/decode.ts";
import { ControlPlane } from "./control-plane.ts";

const shipped = fileURLToPath(new URL("../../k8s/crds/", import.meta.url));

let plane: ControlPlane;
test.before(async () => {
  plane = await ControlPlane.start();
  await plane.kubectl("apply", "--server-side", "-k", shipped);
  for (const name of ["federatedtrustdomains", "peerauthentications"]) {
    await plane.established(`${name}.signet.dev`);
  }
});
test.after.always(() => plane?.[Symbol.asyncDispose]());

let made = 0;
const federation = (spec: unknown): object => {
  made += 1;
  return {
    apiVersion: "signet.dev/v1alpha1",
    kind: "FederatedTrustDomain",
    metadata: { name: `f-${made}` },
    spec,
  };
};
const web = {
  trustDomain: "partner.mesh",
  bundleEndpointURL: "https://partner.example:8445/bundle",
  bundleEndpointProfile: { type: "https_web" },
};
const spiffe = {
  ...web,
  bundleEndpointProfile: {
    type: "https_spiffe",
    endpointSPIFFEID: "spiffe://partner.mesh/ns/signet-system/sa/signet-controller",
  },
  trustDomainBundle: '{"keys":[]}',
};

const good: readonly [what: string, spec: object][] = [
  ["https_web", web],
  [
    "https_web with roots of its own",
    { ...web, bundleEndpointProfile: { type: "https_web", caBundle: "x" } },
  ],
  ["https_web with a first bundle", { ...web, trustDomainBundle: "{}" }],
  ["https_spiffe", spiffe],
  ["an IPv6 address", { ...web, bundleEndpointURL: "https://[fd00::1]:8445/bundle" }],
];
for (const [what, spec] of good) {
  test.serial(`the definition takes ${what}, and the controller reads it`, async (t) => {
    const object = federation(spec);
    await plane.apply(object);
    t.notThrows(() => decodeObject(object));
  });
}

const bad: readonly [what: string, spec: unknown, sentence: RegExp][] = [
  ["no spec", undefined, /missing required field "spec"|spec: Required value/],
  [
    "a trust domain with a scheme",
    { ...web, trustDomain: "spiffe://a" },
    /spec\.trustDomain.*should match/,
  ],
  ["no TLS", { ...web, bundleEndpointURL: "http://a/b" }, /is no URL that begins with https:\/\//],
  ["no URL", { ...web, bundleEndpointURL: "a" }, /is no URL that begins with https:\/\//],
  [
    "a user in the URL",
    { ...web, bundleEndpointURL: "https://u@a/b" },
    /names a user or a fragment/,
  ],
  [
    "another profile",
    { ...web, bundleEndpointProfile: { type: "x" } },
    /supported values: "https_spiffe", "https_web"/,
  ],
  [
    "https_spiffe without an identity",
    { ...spiffe, bundleEndpointProfile: { type: "https_spiffe" } },
    /of type https_spiffe needs endpointSPIFFEID/,
  ],
  [
    "https_web with an identity",
    { ...web, bundleEndpointProfile: { ...spiffe.bundleEndpointProfile, type: "https_web" } },
    /endpointSPIFFEID goes with https_spiffe/,
  ],
  [
    "https_spiffe with other roots",
    { ...spiffe, bundleEndpointProfile: { ...spiffe.bundleEndpointProfile, caBundle: "x" } },
    /caBundle goes with https_web/,
  ],
  [
    "https_spiffe without a first bundle",
    { ...spiffe, trustDomainBundle: undefined },
    /has no trustDomainBundle/,
  ],
  [
    "an endpoint of another trust domain",
    {
      ...spiffe,
      bundleEndpointProfile: {
        ...spiffe.bundleEndpointProfile,
        endpointSPIFFEID: "spiffe://partner.mesh.evil/a",
      },
    },
    /has an endpointSPIFFEID that is not of its trustDomain/,
  ],
];
for (const [what, spec, sentence] of bad) {
  test.serial(`the definition refuses ${what}`, async (t) => {
    const error = await t.throwsAsync(plane.apply(federation(spec)));
    t.regex(error?.message ?? "", sentence);
  });
}

test.serial("a federation's trust domain cannot be changed", async (t) => {
  const object = federation(web) as { spec: object };
  await plane.apply(object);
  const other = { ...object, spec: { ...web, trustDomain: "other.mesh" } };
  const error = await t.throwsAsync(plane.apply(other));
  t.regex(error?.message ?? "", /cannot be changed; delete this federation and create another one/);
});

const callers = (...foreignCallers: readonly string[]): object => {
  made += 1;
  return {
    apiVersion: "signet.dev/v1alpha1",
    kind: "PeerAuthentication",
    metadata: { namespace: "default", name: `p-${made}` },
    spec: { foreignCallers },
  };
};

test.serial(
  "foreignCallers takes identities and whole trust domains, alone and none",
  async (t) => {
    for (const object of [
      callers(),
      callers("spiffe://partner.mesh"),
      callers("spiffe://partner.mesh/ns/a/sa/a", "spiffe://other.mesh/x"),
    ]) {
      await plane.apply(object);
      t.notThrows(() => decodeObject(object));
    }
  },
);

const noCaller: readonly [what: string, caller: string][] = [
  ["a trust domain without scheme", "partner.mesh"],
  ["a pattern", "spiffe://partner.mesh/ns/*"],
  ["an empty segment", "spiffe://partner.mesh/"],
  ["a dot segment", "spiffe://partner.mesh/a/../b"],
];
for (const [what, caller] of noCaller) {
  test.serial(`foreignCallers refuses ${what}, and so does the controller`, async (t) => {
    const object = callers(caller);
    await t.throwsAsync(plane.apply(object));
    t.throws(() => decodeObject(object));
  });
}
