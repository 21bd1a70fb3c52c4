// Random messages of the discovery model for property tests.
import * as fc from "fast-check";
import type { Cluster, HeldResource, Resource, ResourceKey, Route } from "#/api/discovery.ts";
import type { Service, SubscriberMessage, TrustBundle, Update } from "#/api/discovery.ts";
import type { IssueRequest, IssueResponse } from "#/api/identity.ts";
import type { MtlsMode, ServerPolicy } from "#/api/policy.ts";
import { parseTrustDomain, workloadId } from "#/identity/spiffe-id.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";

const text = fc.string({ unit: "binary", maxLength: 12 });
const filled = fc.string({ unit: "binary", minLength: 1, maxLength: 12 });
const whole = fc.nat(0xffffffff);
const bytes = fc.uint8Array({ maxLength: 16 });
const list = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 3 });
const protocol = fc.constantFrom("detect" as const, "http" as const, "tcp" as const);
const mode = fc.constantFrom<MtlsMode>("strict", "permissive", "disable");
const label = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
const trustDomain: fc.Arbitrary<TrustDomain> = label.map(parseTrustDomain);
const identity = fc
  .tuple(trustDomain, label, label)
  .map(([domain, namespace, account]) => workloadId(domain, namespace, account));

const route: fc.Arbitrary<Route> = fc.record({
  name: text,
  matches: list(
    fc.record({
      path: fc.option(
        fc.record({ kind: fc.constantFrom("exact" as const, "prefix" as const), value: text }),
      ),
      method: fc.option(filled),
      headers: list(fc.record({ name: text, value: text })),
    }),
  ),
  backends: list(fc.record({ cluster: text, weight: whole })),
  retry: fc.option(
    fc.record({
      codes: list(whole),
      attempts: whole,
      backoffMs: whole,
      perTryTimeoutMs: whole,
    }),
  ),
  requestTimeoutMs: whole,
});

const service = (name: string): fc.Arbitrary<Service> =>
  fc.record({
    name: fc.constant(name),
    addresses: list(text),
    hosts: list(text),
    ports: list(fc.record({ port: whole, protocol, routes: list(route) })),
  });

const cluster = (name: string): fc.Arbitrary<Cluster> =>
  fc.record({
    name: fc.constant(name),
    protocol,
    endpoints: list(
      fc.record({ address: text, port: whole, identity: fc.option(identity), pod: text }),
    ),
  });

const policy: fc.Arbitrary<ServerPolicy> = fc.record({
  mode,
  ports: list(fc.tuple(whole, mode)).map((entries) => new Map(entries)),
  requiresPostQuantum: fc.boolean(),
  foreignCallers: list(identity).map((each) => new Set<string>(each.sort())),
  source: text,
});

const bundle: fc.Arbitrary<TrustBundle> = fc.record({ trustDomain, roots: list(bytes) });

/** Any resource that has a form on the wire, whether or not a sidecar would accept it. */
export const resources: fc.Arbitrary<Resource> = fc.tuple(text, text).chain(([name, version]) =>
  fc.oneof(
    service(name).map((each): Resource => ({ kind: "service", name, version, service: each })),
    cluster(name).map((each): Resource => ({ kind: "cluster", name, version, cluster: each })),
    policy.map((each): Resource => ({ kind: "serverPolicy", name, version, policy: each })),
    bundle.map((each): Resource => ({ kind: "trustBundle", name, version, bundle: each })),
    list(fc.record({ keyId: text, publicKey: bytes })).map((authorities): Resource => ({
      kind: "tokenKeys",
      name,
      version,
      authorities,
    })),
    fc
      .record({
        trustDomain,
        roots: list(bytes),
        jwtAuthorities: list(fc.record({ keyId: text, publicKey: bytes })),
      })
      .map((each): Resource => {
        return { kind: "federatedBundle", name: each.trustDomain, version, bundle: each };
      }),
    list(identity).map((each): Resource => ({
      kind: "suspensions",
      name,
      version,
      suspended: new Set(each.sort()),
    })),
  ),
);

const kind = fc.constantFrom<ResourceKey["kind"]>(
  "service",
  "cluster",
  "serverPolicy",
  "trustBundle",
  "suspensions",
  "tokenKeys",
  "federatedBundle",
);

export const updates: fc.Arbitrary<Update> = fc.record({
  sequence: whole,
  upserts: list(resources),
  removals: list(fc.record({ kind, name: text })),
  synced: fc.boolean(),
});

const held: fc.Arbitrary<HeldResource> = fc.record({ kind, name: text, version: text });

export const subscriberMessages: fc.Arbitrary<SubscriberMessage> = fc.oneof(
  fc.record({
    kind: fc.constant("hello" as const),
    podNamespace: text,
    podName: text,
    podUid: text,
    held: list(held),
  }),
  fc.record({ kind: fc.constant("ack" as const), sequence: whole }),
  fc.record({ kind: fc.constant("nack" as const), sequence: whole, reason: text }),
);

export const issueRequests: fc.Arbitrary<IssueRequest> = fc.record({
  csr: bytes,
  token: text,
  lifetimeS: whole,
  serving: fc.boolean(),
});

export const issueResponses: fc.Arbitrary<IssueResponse> = fc.record({
  certificateChain: fc.array(bytes, { minLength: 1, maxLength: 3 }),
  trustBundle: fc.array(bytes, { minLength: 1, maxLength: 3 }),
  notAfter: fc.maxSafeNat(),
  receipt: fc.record({ index: fc.maxSafeNat(), checkpoint: text, entry: bytes, path: bytes }),
});
