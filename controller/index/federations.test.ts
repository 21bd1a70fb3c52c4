import test from "ava";
import { decodeObject } from "#/cluster/decode.ts";
import type { FederatedTrustDomainRecord } from "#/cluster/events.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { writeBundleDocument } from "#/identity/bundle-document.ts";
import { Federations } from "./federations.ts";

const own = parseTrustDomain("cluster.local");
const partner = parseTrustDomain("partner.mesh");
const { root } = await createAuthority();
const bundle = writeBundleDocument({
  roots: [root],
  jwtAuthorities: [],
  since: 0,
  refreshHintS: 5,
});
const web = {
  trustDomain: "partner.mesh",
  bundleEndpointURL: "https://partner.example/bundle",
  bundleEndpointProfile: { type: "https_web" },
};
const spiffe = {
  ...web,
  bundleEndpointProfile: {
    type: "https_spiffe",
    endpointSPIFFEID: "spiffe://partner.mesh/ns/signet-system/sa/signet-controller",
  },
  trustDomainBundle: bundle,
};

function federation(name: string, spec: object, at = 1): FederatedTrustDomainRecord {
  return decodeObject({
    apiVersion: "signet.dev/v1alpha1",
    kind: "FederatedTrustDomain",
    metadata: { name, creationTimestamp: new Date(at * 1000).toISOString() },
    spec,
  }) as FederatedTrustDomainRecord;
}

test("a federation is in force while its object is there", (t) => {
  const it = new Federations(own);
  it.apply(federation("one", spiffe));
  const [first] = it.federations;
  t.like(first, { trustDomain: partner, url: web.bundleEndpointURL });
  t.is(first?.firstBundle?.roots.length, 1);
  t.is(it.inForce("one"), partner);
  t.is(it.nameOf(partner), "one");
  it.delete("one");
  t.deepEqual(it.federations, []);
  t.is(it.inForce("one"), null);
});

test("of several objects for one trust domain the oldest counts, and the next one follows", (t) => {
  const it = new Federations(own);
  it.apply(federation("late", web, 9));
  it.apply(federation("early", spiffe, 1));
  t.is(it.nameOf(partner), "early");
  t.is(it.faultOf("late"), '"early" federates with "partner.mesh" already');
  t.is(it.faultOf("early"), null);
  it.delete("early");
  t.is(it.nameOf(partner), "late");
  t.is(it.faultOf("late"), null);
});

const refused: readonly (readonly [string, object, RegExp])[] = [
  ["the mesh's own trust domain", { ...web, trustDomain: "cluster.local" }, /own trust domain/],
  ["no trust domain", { ...web, trustDomain: "Partner" }, /as a trust domain/],
  ["an endpoint without TLS", { ...web, bundleEndpointURL: "http://a/b" }, /not https/],
  ["a user in the URL", { ...web, bundleEndpointURL: "https://u:p@a/b" }, /names a user/],
  ["no URL", { ...web, bundleEndpointURL: "https://" }, /no URL/],
  ["another profile", { ...web, bundleEndpointProfile: { type: "https" } }, /neither/],
  [
    "https_spiffe without a first bundle",
    { ...spiffe, trustDomainBundle: undefined },
    /first bundle/,
  ],
  [
    "https_spiffe with an empty first bundle",
    { ...spiffe, trustDomainBundle: '{"keys":[]}' },
    /first bundle/,
  ],
  ["a first bundle that is none", { ...web, trustDomainBundle: "x" }, /no JSON/],
  [
    "an endpoint of another trust domain",
    {
      ...spiffe,
      bundleEndpointProfile: { type: "https_spiffe", endpointSPIFFEID: "spiffe://third.mesh/a" },
    },
    /not of trust domain/,
  ],
  [
    "https_spiffe without an identity",
    { ...spiffe, bundleEndpointProfile: { type: "https_spiffe" } },
    /needs endpointSPIFFEID/,
  ],
];
for (const [what, spec, fault] of refused) {
  test(`a federation is refused with ${what}, and the last good one stays`, (t) => {
    const it = new Federations(own);
    it.apply(federation("one", spec));
    t.deepEqual(it.federations, []);
    t.regex(it.faultOf("one") ?? "", fault);
    it.apply(federation("one", web));
    it.apply(federation("one", spec));
    t.is(it.inForce("one"), partner);
    t.regex(it.faultOf("one") ?? "", fault);
  });
}
