import test from "ava";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { issueRequests, issueResponses, resources } from "#/test/kit/arbitraries.ts";
import { subscriberMessages, updates } from "#/test/kit/arbitraries.ts";
import * as convert from "./convert.ts";
import { DiscoveryError } from "./discovery.ts";
import type { Resource } from "./discovery.ts";
import * as wire from "./gen/discovery_pb.ts";
import * as identityWire from "./gen/identity_pb.ts";

const roundTrips: readonly [string, fc.Arbitrary<unknown>, (value: never) => unknown][] = [
  ["updates", updates, (value) => convert.decodeUpdate(convert.encodeUpdate(value))],
  [
    "subscriber messages",
    subscriberMessages,
    (value) => convert.decodeSubscriberMessage(convert.encodeSubscriberMessage(value)),
  ],
  [
    "issue requests",
    issueRequests,
    (value) => convert.decodeIssueRequest(convert.encodeIssueRequest(value)),
  ],
  [
    "issue responses",
    issueResponses,
    (value) => convert.decodeIssueResponse(convert.encodeIssueResponse(value)),
  ],
];
for (const [title, values, trip] of roundTrips) {
  test(`convert gives back the same ${title}`, (t) => {
    fc.assert(fc.property(values, (value) => void t.deepEqual(trip(value as never), value)));
  });
}

const decoders: readonly [string, (bytes: Uint8Array) => unknown][] = [
  ["decodeUpdate", convert.decodeUpdate],
  ["decodeSubscriberMessage", convert.decodeSubscriberMessage],
  ["decodeIssueRequest", convert.decodeIssueRequest],
  ["decodeIssueResponse", convert.decodeIssueResponse],
];
for (const [title, decode] of decoders) {
  test(`${title} throws nothing but DiscoveryError, whatever the bytes`, (t) => {
    const damaged = fc.tuple(updates, fc.nat(), fc.nat(255)).map(([update, at, byte]) => {
      const bytes = Uint8Array.from(convert.encodeUpdate(update));
      bytes[at % bytes.length] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged), (bytes) => {
        try {
          decode(bytes);
        } catch (thrown) {
          if (!(thrown instanceof DiscoveryError)) throw thrown;
        }
        convert.sequenceOf(bytes);
      }),
      { numRuns: 1000 },
    );
    t.pass();
  });
}

test("encodeUpdate writes what the generated code would write", (t) => {
  fc.assert(
    fc.property(updates, (update) => {
      const bytes = convert.encodeUpdate(update);
      const read = fromBinary(wire.SubscribeResponseSchema, bytes);
      t.deepEqual(convert.decodeUpdate(toBinary(wire.SubscribeResponseSchema, read)), update);
    }),
    { numRuns: 50 },
  );
});

test("encodedResourceBytes tells what a resource takes in an update", (t) => {
  fc.assert(
    fc.property(resources, (resource: Resource) => {
      const empty = convert.encodeUpdate({ sequence: 1, upserts: [], removals: [], synced: false });
      const one = convert.encodeUpdate({
        sequence: 1,
        upserts: [resource],
        removals: [],
        synced: false,
      });
      const overhead = one.length - empty.length - convert.encodedResourceBytes(resource);
      t.true(overhead >= 2 && overhead <= 6);
    }),
    { numRuns: 50 },
  );
});

const content = (value: wire.Resource["content"]): wire.SubscribeResponse =>
  response({ upserts: [create(wire.ResourceSchema, { name: "x", version: "1", content: value })] });

function response(update: {
  upserts?: wire.Resource[];
  removals?: wire.ResourceKey[];
}): wire.SubscribeResponse {
  const value = create(wire.UpdateSchema, { sequence: 5, ...update });
  return create(wire.SubscribeResponseSchema, { message: { case: "update", value } });
}

const route = (route: object): wire.SubscribeResponse =>
  content({
    case: "service",
    value: create(wire.ServiceSchema, {
      ports: [{ port: 1, protocol: wire.Protocol.HTTP, routes: [route] }],
    }),
  });

const refused: readonly [title: string, wire.SubscribeResponse, RegExp][] = [
  ["a resource without content", content({ case: undefined }), /no content that is known/],
  [
    "a protocol that is not told",
    content({ case: "cluster", value: create(wire.ClusterSchema, {}) }),
    /protocol 0 is unknown/,
  ],
  [
    "a mode of a later version",
    content({
      case: "serverPolicy",
      value: create(wire.ServerPolicySchema, { mode: 9 as wire.MtlsMode }),
    }),
    /mode 9 is unknown/,
  ],
  [
    "a port's mode that is not told",
    content({
      case: "serverPolicy",
      value: create(wire.ServerPolicySchema, { mode: wire.MtlsMode.STRICT, ports: [{ port: 1 }] }),
    }),
    /mode 0 is unknown/,
  ],
  [
    "a port with two modes",
    content({
      case: "serverPolicy",
      value: create(wire.ServerPolicySchema, {
        mode: wire.MtlsMode.STRICT,
        ports: [
          { port: 1, mode: wire.MtlsMode.STRICT },
          { port: 1, mode: wire.MtlsMode.DISABLE },
        ],
      }),
    }),
    /names port 1 twice/,
  ],
  ["a path match of a later kind", route({ matches: [{ path: {} }] }), /path match is of no kind/],
  [
    "an endpoint whose identity is none",
    content({
      case: "cluster",
      value: create(wire.ClusterSchema, {
        protocol: wire.Protocol.TCP,
        endpoints: [{ address: "10.0.0.1", port: 1, identity: "app-a" }],
      }),
    }),
    /Cannot read "app-a" as a SPIFFE ID/,
  ],
  [
    "a trust domain that is none",
    content({ case: "trustBundle", value: create(wire.TrustBundleSchema, { trustDomain: "A B" }) }),
    /as a trust domain/,
  ],
  [
    "a suspension of what is no identity",
    content({
      case: "suspensions",
      value: create(wire.SuspensionsSchema, { identities: ["app-a"] }),
    }),
    /Cannot read "app-a" as a SPIFFE ID/,
  ],
  [
    "a removal of no kind",
    response({ removals: [create(wire.ResourceKeySchema, { name: "x" })] }),
    /resource kind 0 is unknown/,
  ],
];
for (const [title, message, reason] of refused) {
  test(`decodeUpdate refuses ${title}, and its sequence can still be told`, (t) => {
    const bytes = toBinary(wire.SubscribeResponseSchema, message);
    t.throws(() => convert.decodeUpdate(bytes), {
      instanceOf: DiscoveryError,
      code: "wire_invalid",
      message: reason,
    });
    t.is(convert.sequenceOf(bytes), 5);
  });
}

test("decodeUpdate refuses an empty message", (t) => {
  t.throws(() => convert.decodeUpdate(new Uint8Array()), { code: "wire_invalid" });
});

test("attack-52 decodeSubscriberMessage refuses more held resources than the limit before building them", (t) => {
  const entries = Buffer.alloc((convert.heldResourcesMax + 1) * 2);
  for (let index = 0; index < entries.length; index += 2) entries[index] = (4 << 3) | 2;
  const head = Buffer.from([(1 << 3) | 2, ...varint(entries.length)]);
  const started = performance.now();
  t.throws(() => convert.decodeSubscriberMessage(Buffer.concat([head, entries])), {
    instanceOf: DiscoveryError,
    code: "limit_exceeded",
  });
  t.true(performance.now() - started < 1000);
});

test("attack-52 the limit holds when the entries are spread over several hellos", (t) => {
  const half = Buffer.alloc(convert.heldResourcesMax + 2);
  for (let index = 0; index < half.length; index += 2) half[index] = (4 << 3) | 2;
  const hello = Buffer.concat([Buffer.from([(1 << 3) | 2, ...varint(half.length)]), half]);
  const bytes = Buffer.concat([hello, hello]);
  t.throws(() => convert.decodeSubscriberMessage(bytes), { code: "limit_exceeded" });
});

test("decodeSubscriberMessage keeps no more of a reason than a log line takes", (t) => {
  const reason = "x".repeat(convert.nackReasonCharactersMax + 1);
  const bytes = convert.encodeSubscriberMessage({ kind: "nack", sequence: 1, reason });
  const read = convert.decodeSubscriberMessage(bytes);
  t.is(read.kind === "nack" && read.reason.length, convert.nackReasonCharactersMax);
});

const badResponses: readonly [string, Partial<identityWire.IssueResponse>][] = [
  ["without a chain", { trustBundle: [new Uint8Array(1)] }],
  ["without roots", { certificateChain: [new Uint8Array(1)] }],
  [
    "that ends before 1970",
    { certificateChain: [new Uint8Array(1)], trustBundle: [new Uint8Array(1)], notAfterMs: -1n },
  ],
  [
    "that ends after all time",
    {
      certificateChain: [new Uint8Array(1)],
      trustBundle: [new Uint8Array(1)],
      notAfterMs: 2n ** 60n,
    },
  ],
];
for (const [title, fields] of badResponses) {
  test(`decodeIssueResponse refuses an answer ${title}`, (t) => {
    const schema = identityWire.IssueResponseSchema;
    const bytes = toBinary(schema, create(schema, fields as object));
    t.throws(() => convert.decodeIssueResponse(bytes), { code: "wire_invalid" });
  });
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (let left = value; ; left >>>= 7) {
    if (left < 128) return [...out, left];
    out.push((left & 127) | 128);
  }
}
