import test from "ava";
import { objectFaults } from "./schema.ts";
import { pathText } from "./shape.ts";

const faultsOf = (kind: string, object: object): readonly string[] =>
  objectFaults(kind, { kind, metadata: { name: "f" }, ...object }).map(
    ({ path, message }) => `${pathText(path)} ${message}`,
  );

const spec = {
  trustDomain: "partner.mesh",
  bundleEndpointURL: "https://203.0.113.7:8445/bundle",
  bundleEndpointProfile: { type: "https_web" },
};
const federation = (change: object = {}): readonly string[] =>
  faultsOf("FederatedTrustDomain", {
    apiVersion: "signet.dev/v1alpha1",
    spec: { ...spec, ...change },
  });

test("objectFaults takes a federation", (t) => {
  t.deepEqual(federation(), []);
});

for (const [what, change, fault] of [
  ["without an endpoint", { bundleEndpointURL: null }, /^spec\.bundleEndpointURL is missing$/],
  [
    "without TLS",
    { bundleEndpointURL: "http://a/b" },
    /^spec is refused: "http:\/\/a\/b" is not https$/,
  ],
  ["with a first bundle that is none", { trustDomainBundle: "x" }, /^spec is refused: .*no JSON/],
  ["of another profile", { bundleEndpointProfile: { type: "x" } }, /bundleEndpointProfile\.type/],
  ["with a field more", { className: "x" }, /^spec\.className is not understood/],
] as const) {
  test(`objectFaults refuses a federation ${what}`, (t) => {
    const [found, ...more] = federation(change);
    t.regex(found ?? "", fault);
    t.deepEqual(more, []);
  });
}

const slice = (change: object = {}, metadata: object = {}): readonly string[] =>
  faultsOf("EndpointSlice", {
    apiVersion: "discovery.k8s.io/v1",
    metadata: { name: "s", labels: { "kubernetes.io/service-name": "a" }, ...metadata },
    addressType: "IPv4",
    ports: [{ name: "http", port: 80 }],
    endpoints: [{ addresses: ["203.0.113.7"] }],
    ...change,
  });
const said = (identity: string): object => ({
  annotations: { "signet.dev/endpoint-identity": identity },
});

test("objectFaults takes a slice of endpoints outside, with and without an identity", (t) => {
  t.deepEqual(slice(), []);
  t.deepEqual(slice({}, said("spiffe://partner.mesh/ns/a/sa/a")), []);
});

for (const [what, change, metadata, fault] of [
  ["of a name", { endpoints: [{ addresses: ["a.example"] }] }, {}, /is no IPv4 address/],
  ["of no Service", {}, { labels: {} }, /has no label "kubernetes\.io\/service-name"/],
  ["of IPv6", { addressType: "IPv6" }, {}, /addressType/],
  ["with an identity that is none", {}, said("partner"), /endpoint-identity", which is refused/],
  [
    "that points to a pod",
    { endpoints: [{ addresses: ["10.0.0.1"], targetRef: {} }] },
    {},
    /targetRef/,
  ],
] as const) {
  test(`objectFaults refuses a slice ${what}`, (t) => {
    t.regex(slice(change, metadata)[0] ?? "", fault);
  });
}

const policy = (foreignCallers: unknown): readonly string[] =>
  faultsOf("PeerAuthentication", { apiVersion: "signet.dev/v1alpha1", spec: { foreignCallers } });

test("objectFaults takes callers of other trust domains, and refuses what names nobody", (t) => {
  t.deepEqual(policy(["spiffe://partner.mesh", "spiffe://partner.mesh/ns/a/sa/a"]), []);
  for (const caller of ["partner.mesh", "spiffe://", "spiffe://Partner", "spiffe://a/", "", 7]) {
    t.regex(
      policy([caller])[0] ?? "",
      /^spec\.foreignCallers(\[0\]|\.0) is refused/,
      String(caller),
    );
  }
});
