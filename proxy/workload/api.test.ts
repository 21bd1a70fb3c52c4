// The Workload API over a real Unix socket, its certificates from a stand-in for the controller and a
// clock that the test turns.
import { X509Certificate, createPrivateKey, createPublicKey } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { X509BundlesResponseSchema, X509SVIDResponseSchema } from "#/api/gen/spiffe/workload_pb.ts";
import type { X509SVID } from "#/api/gen/spiffe/workload_pb.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { verifyChain } from "#/identity/verify.ts";
import { CertifierFixture, evil, lifeMs, ownId, root } from "#/test/kit/certifier.ts";
import { until } from "#/test/kit/controller-server.ts";
import { field, frame, literal, post, preface, settings } from "#/test/kit/http2-frame.ts";
import { status } from "#/test/kit/workload-client.ts";
import { certified, start } from "#/test/kit/workload-site.ts";
import type { Site } from "#/test/kit/workload-site.ts";
import { refusedConnectionsMax, workloadConnectionsMax } from "./api.ts";

const trustDomain = parseTrustDomain("cluster.local");
/** The certificates that stand one after the other. */
function cut(bytes: Uint8Array): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let rest = bytes; rest.length > 0; rest = rest.subarray(found.at(-1)!.length)) {
    found.push(new Uint8Array(new X509Certificate(rest).raw));
  }
  return found;
}

function assertWhole(t: ExecutionContext, site: Site, svid: X509SVID | undefined): void {
  t.is(svid?.spiffeId, ownId);
  const chain = cut(svid!.x509Svid);
  const roots = cut(svid!.bundle);
  t.deepEqual(roots, [new Uint8Array(root.der)]);
  const now = site.fixture.truth.now();
  const { id, publicKey } = verifyChain(chain, roots, now, { trustDomain, purpose: "client" });
  t.is(id, ownId);
  const key = createPrivateKey({
    key: Buffer.from(svid!.x509SvidKey),
    format: "der",
    type: "pkcs8",
  });
  const own = createPublicKey(key).export({ type: "spki", format: "der" });
  t.true(own.equals(publicKey), "the key belongs to the leaf");
}

test("FetchX509SVID answers at once, and again with each new certificate and its new key", async (t) => {
  const site = await certified(t);
  const call = site.client().call("FetchX509SVID");
  const first = await call.answer(X509SVIDResponseSchema);
  t.is(first.svids.length, 1);
  assertWhole(t, site, first.svids[0]);
  await site.fixture.pass(lifeMs / 2);
  const second = await call.answer(X509SVIDResponseSchema, 2);
  assertWhole(t, site, second.svids[0]);
  t.notDeepEqual(second.svids[0]!.x509SvidKey, first.svids[0]!.x509SvidKey);
  t.is(call.answers.length, 2);
});

test("FetchX509SVID is unavailable before there is a certificate, and says so", async (t) => {
  const fixture = new CertifierFixture();
  fixture.answer = () => {
    throw new Error("no controller");
  };
  const { client } = await start(t, { fixture });
  const { status: code, message } = await client().call("FetchX509SVID").ended;
  t.is(code, status.unavailable);
  t.is(message, "Cannot serve yet: it is not there; ask again");
});

test("FetchX509SVID ends unavailable when its certificate ended without a successor", async (t) => {
  const site = await certified(t);
  const call = site.client().call("FetchX509SVID");
  await call.answer(X509SVIDResponseSchema);
  site.fixture.answer = () => {
    throw new Error("no controller");
  };
  await site.fixture.pass(lifeMs + 1000);
  t.is((await call.ended).status, status.unavailable);
});

test("FetchX509Bundles answers with the roots, and again only when they are others", async (t) => {
  const site = await certified(t);
  const call = site.client().call("FetchX509Bundles");
  const svids = site.client().call("FetchX509SVID");
  const { bundles } = await call.answer(X509BundlesResponseSchema);
  t.deepEqual(Object.keys(bundles), ["spiffe://cluster.local"]);
  t.deepEqual(cut(bundles["spiffe://cluster.local"]!), [new Uint8Array(root.der)]);
  await svids.answer(X509SVIDResponseSchema);
  site.api.trust({ roots: [Uint8Array.from(root.der)] }, [], new Map());
  site.api.trust({ roots: [root.der, evil.der] }, [], new Map());
  const later = await call.answer(X509BundlesResponseSchema, 2);
  const [one, other] = cut(later.bundles["spiffe://cluster.local"]!);
  t.deepEqual([one, other], [new Uint8Array(root.der), new Uint8Array(evil.der)]);
  const { svids: again } = await svids.answer(X509SVIDResponseSchema, 2);
  t.is(cut(again[0]!.bundle).length, 2);
  t.deepEqual([call.answers.length, svids.answers.length], [2, 2]);
});

const withoutMeaning: readonly (readonly [string, Record<string, string | string[]>])[] = [
  ["without the header", {}],
  ["with another value of it", { "workload.spiffe.io": "false" }],
  ["with an empty one", { "workload.spiffe.io": "" }],
  ["with two of them", { "workload.spiffe.io": ["true", "true"] }],
];
for (const [what, fields] of withoutMeaning) {
  test(`every method refuses a call ${what}`, async (t) => {
    const { client } = await certified(t);
    for (const method of ["FetchX509SVID", "FetchX509Bundles"]) {
      const call = client().call(method, undefined, fields);
      const { status: code, message } = await call.ended;
      t.is(code, status.invalidArgument);
      t.is(message, 'Cannot serve: header "workload.spiffe.io: true" is missing');
      t.is(call.answers.length, 0);
    }
  });
}

test("a client that gives the socket's path as authority, as gRPC for Java does, is answered", async (t) => {
  const { socketPath } = await certified(t);
  const fields = [
    post,
    literal(0x44, "/SpiffeWorkloadAPI/FetchX509SVID"),
    literal(0x41, socketPath),
    field("content-type", "application/grpc"),
    field("te", "trailers"),
    field("workload.spiffe.io", "true"),
  ];
  const socket = connect(socketPath);
  t.teardown(() => socket.destroy());
  let heard = "";
  socket.on("data", (bytes: Buffer) => (heard += bytes.toString("latin1")));
  const headers = frame(1, 0x04, Buffer.concat(fields));
  socket.write(Buffer.concat([preface, settings, headers, frame(0, 1, Buffer.alloc(5))]));
  await until(() => heard.includes(ownId));
  t.pass();
});

const own = process.getuid?.() ?? 0;
const peerRows = [
  ["the sidecar's own user", { ownUser: own, users: null }, "user_reserved"],
  [
    "a user that the pod's spec does not name",
    { ownUser: 1337, users: new Set([4711]) },
    "user_not_named",
  ],
] as const;
for (const [who, peers, reason] of peerRows) {
  test(`every method refuses ${who}, by the kernel's word`, async (t) => {
    const { client, metrics } = await certified(t, { peers });
    for (const method of ["FetchX509SVID", "FetchX509Bundles"]) {
      const call = client().call(method);
      const { status: code, message } = await call.ended;
      t.is(code, status.permissionDenied);
      t.regex(message, /^Cannot serve: /);
      t.is(call.answers.length, 0);
    }
    t.is(metrics.workloadConnectionsRefused.with(reason).value, 2);
  });
}

test(`of connections that are refused ${refusedConnectionsMax} are told why, and leave room for others`, async (t) => {
  const { client, metrics } = await certified(t, { peers: { ownUser: own, users: null } });
  const ask = () => client().call("FetchX509SVID").ended;
  for (let told = 0; told < refusedConnectionsMax; told += 1) {
    t.is((await ask()).status, status.permissionDenied);
  }
  t.is((await ask()).status, -1);
  t.is(metrics.workloadConnectionsRefused.with("overflow").value, 1);
});

test("a user that the pod's spec names is served", async (t) => {
  const { client } = await certified(t, { peers: { ownUser: 1337, users: new Set([own]) } });
  const answer = await client().call("FetchX509SVID").answer(X509SVIDResponseSchema);
  t.is(answer.svids.length, 1);
});

test(`connections beyond ${workloadConnectionsMax} are closed at once, and room is made by one that ends`, async (t) => {
  const { client, metrics } = await certified(t);
  const all = Array.from({ length: workloadConnectionsMax }, () => client());
  await Promise.all(all.map((it) => it.call("FetchX509SVID").answer(X509SVIDResponseSchema)));
  t.is((await client().call("FetchX509SVID").ended).status, -1);
  t.is(metrics.workloadConnectionsRefused.with("overflow").value, 1);
  all[0]![Symbol.dispose]();
  const again = async (): Promise<number> => {
    const call = client().call("FetchX509SVID");
    const answered = call.answer(X509SVIDResponseSchema).then(({ svids }) => svids.length);
    return answered.catch(() => again());
  };
  t.is(await again(), 1);
});

test("answers that nobody reads end their stream instead of filling the memory", async (t) => {
  const { api, client, metrics } = await certified(t);
  const call = client({ initialWindowSize: 0 }).call("FetchX509Bundles");
  await call.begun;
  const cell = metrics.workloadCalls.with(
    "/SpiffeWorkloadAPI/FetchX509Bundles",
    "resource_exhausted",
  );
  for (let change = 0; cell.value === 0 && change < 1000; change += 1) {
    api.trust({ roots: change % 2 === 0 ? [root.der, evil.der] : [root.der] }, [], new Map());
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.is(cell.value, 1);
  call.cancel();
});

test("what a killed sidecar left is replaced; what is no socket is left alone", async (t) => {
  const fixture = new CertifierFixture();
  const socketPath = path.join(fixture.directory, "workload.sock");
  const former = createServer().listen(socketPath);
  await until(() => existsSync(socketPath));
  t.teardown(() => former.close());
  const { client } = await certified(t, { fixture });
  t.is((await client().call("FetchX509SVID").answer(X509SVIDResponseSchema)).svids.length, 1);
  for (const make of [mkdirSync, (at: string) => writeFileSync(at, "kept")]) {
    const other = new CertifierFixture();
    make(path.join(other.directory, "workload.sock"));
    const error = await t.throwsAsync(start(t, { fixture: other }));
    t.regex(error?.message ?? "", /^Cannot listen on ".*workload.sock": .*EADDRINUSE/);
    t.true(existsSync(path.join(other.directory, "workload.sock")));
  }
});

test("drain tells every stream to come back, and takes the socket away", async (t) => {
  const { api, client, socketPath } = await certified(t);
  const call = client().call("FetchX509SVID");
  await call.answer(X509SVIDResponseSchema);
  api.drain();
  t.is((await call.ended).status, status.unavailable);
  await until(() => !existsSync(socketPath));
});

test("a method that there is not is unimplemented", async (t) => {
  const { client } = await certified(t);
  t.is((await client().call("FetchNothing").ended).status, status.unimplemented);
});
