import test from "ava";
import { X509Certificate } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import path from "node:path";
import { RpcError } from "#/api/rpc-error.ts";
import type { RpcErrorCode } from "#/api/rpc-error.ts";
import { readGrowth, readHeads, readInclusion } from "#/cli/log/answers.ts";
import { readCheckpoint } from "#/transparency/checkpoint.ts";
import { hashLeaf, hashNode } from "#/transparency/hash.ts";
import { openNote, readVerifier } from "#/transparency/note.ts";
import { readEntries } from "#/transparency/tile.ts";
import { verifyJwtSvid } from "#/identity/jwt-svid.ts";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { TokenSigner } from "#/local/pod/tokens.ts";
import { codeOf, until } from "#/test/kit/controller-server.ts";
import { freePort } from "#/test/kit/free-port.ts";
import { Site, added, podObject, policyObject, ready, synced } from "#/test/kit/controller-site.ts";

const sidecarId = parseSpiffeId("spiffe://cluster.local/ns/app-a/sa/app-a");

test("startController issues, tells a sidecar its world, follows a change, and shows both", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject), added(policyObject("PERMISSIVE")), synced);
  await using controller = await site.start();
  await ready(site);
  const sidecar = await site.subscribe(controller);
  await until(() => sidecar.snapshot.synced);
  t.deepEqual(sidecar.snapshot.bundle?.roots, [site.root]);
  t.is(sidecar.snapshot.policy?.mode, "permissive");

  site.say({ type: "MODIFIED", object: policyObject("STRICT") });
  await until(() => sidecar.snapshot.policy?.mode === "strict");

  const certificates = JSON.parse(
    (await site.get("/v1/certificates?namespace=app-a&pod=a-1")).body,
  ) as {
    total: number;
    certificates: readonly { id: string; pod: string; chain: readonly string[] }[];
  };
  t.is(certificates.total, 2, "the controller's own and the sidecar's");
  t.like(certificates.certificates, [{ id: "spiffe://cluster.local/ns/app-a/sa/app-a" }]);
  const [leaf, issuer, intermediate] = (certificates.certificates[0]?.chain ?? []).map(
    (each) => new X509Certificate(Buffer.from(each, "base64")),
  );
  t.true(leaf!.checkIssued(issuer!));
  t.true(intermediate!.checkIssued(new X509Certificate(site.root)));
  const proxies = JSON.parse((await site.get("/v1/proxies")).body) as object;
  t.like(proxies, { proxies: [{ pod: "app-a/a-1", synced: true, refused: [] }] });
  t.like(JSON.parse((await site.get("/v1/controller")).body) as object, {
    trustDomain: "cluster.local",
    issuer: { serial: issuer!.serialNumber.toLowerCase() },
    certificates: 2,
    proxies: 1,
  });
  const policies = JSON.parse((await site.get("/v1/policies")).body) as object;
  t.like(policies, {
    policies: [{ namespace: "app-a", name: "default", selector: null, mode: "strict" }],
    pods: [{ pod: "app-a/a-1", isMeshed: true, mode: "strict" }],
  });
  sidecar.close();
});

// By itself: its handshakes take more turns of a loop that thirty other controllers share.
test.serial(
  "startController issues under an ML-DSA-65 root, and a sidecar subscribes with what it got",
  async (t) => {
    await using site = await Site.create("ml-dsa-65");
    await site.serveWorld(added(podObject), synced);
    await using controller = await site.start();
    await ready(site);
    const sidecar = await site.subscribe(controller);
    await until(() => sidecar.snapshot.synced);
    t.deepEqual(sidecar.snapshot.bundle?.roots, [site.root]);
    t.is(new X509Certificate(site.root).publicKey.asymmetricKeyType as string, "ml-dsa-65");
    sidecar.close();
  },
);

test("startController: a restart sends the sidecar nothing that it has, and loses no certificate", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject), added(policyObject("STRICT")), synced);
  const first = await site.start();
  await ready(site);
  const before = await site.subscribe(first);
  await until(() => before.snapshot.synced);
  before.close();
  await first.drain();
  await first[Symbol.asyncDispose]();
  await using second = await site.start();
  await ready(site);
  const after = await site.subscribe(second, before.snapshot);
  await until(() => after.snapshot.synced);
  t.deepEqual(
    after.updates.map(({ upserts, removals }) => upserts.length + removals.length),
    [0],
  );
  const { body } = await site.get("/v1/certificates");
  t.is((JSON.parse(body) as { total: number }).total, 4);
  after.close();
});

test("startController: what one replica issues as a token is verified with what another one tells", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject), added(policyObject("STRICT")), synced);
  const replica = (name: string) => {
    const SIGNET_DATA_DIRECTORY = path.join(site.folder, name);
    const SIGNET_ADMIN_SOCKET = path.join(site.folder, `${name}.sock`);
    return site.start({ SIGNET_DATA_DIRECTORY, SIGNET_ADMIN_SOCKET, POD_NAME: name });
  };
  await using one = await replica("one");
  await using other = await replica("other");
  const sidecar = await eventuallyIssued(() => site.subscribe(other));
  await until(() => sidecar.snapshot.synced);
  const connection = site.connect(one);
  const asked = { token: await site.token(), audiences: ["app-b"] };
  const { svid } = await eventuallyIssued(() => connection.issueJwt(asked, 5000));
  const authorities = sidecar.snapshot.jwtAuthorities;
  const { trustDomain } = sidecar.snapshot.bundle!;
  const rules = { authorities, trustDomain, audience: "app-b", now: Date.now() };
  t.is(verifyJwtSvid(svid, rules).id, sidecarId);
  t.is(authorities.length, 3);
  const stolen = { ...asked, token: await site.token({ uid: "another" }) };
  t.is(await codeOf(connection.issueJwt(stolen, 5000)), "permission_denied");
  connection.close();
  sidecar.close();
});

/** Until the replica's world is listed nobody is issued anything. */
async function eventuallyIssued<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (let left = 200; ; left -= 1) {
    try {
      return await ask();
    } catch (error) {
      if (left === 0 || !(error instanceof RpcError && error.code === "unavailable")) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test("startController is not ready, and answers nothing as if it were empty, before the world is listed", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject));
  await using controller = await site.start();
  t.deepEqual(await site.get("/readyz"), {
    status: 503,
    body: "not ready: the world is not listed yet\n",
  });
  t.is((await site.get("/livez")).status, 200);
  const refusal = await t.throwsAsync(site.issue(controller), { instanceOf: RpcError });
  t.is(refusal?.code, "unavailable");
  site.say(synced);
  await ready(site);
  t.is((await site.issue(controller)).id, sidecarId);
});

test("startController keeps the last good world while the world is away", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject), added(policyObject("STRICT")), synced);
  await using controller = await site.start();
  await ready(site);
  await site.stopWorld();
  const sidecar = await site.subscribe(controller);
  await until(() => sidecar.snapshot.synced);
  t.is(sidecar.snapshot.policy?.mode, "strict");
  t.is((await site.get("/readyz")).status, 200);
  await site.serveWorld(added(podObject), synced);
  await until(() => sidecar.snapshot.policy?.mode === "permissive", 10_000);
  sidecar.close();
});

test("startController holds pods to STRICT while a policy of theirs never could be read", async (t) => {
  await using site = await Site.create();
  const bad = policyObject("SOMETIMES");
  await site.serveWorld(added(podObject), added(bad), synced);
  await using controller = await site.start();
  await ready(site);
  const sidecar = await site.subscribe(controller);
  await until(() => sidecar.snapshot.synced);
  t.is(sidecar.snapshot.policy?.mode, "strict");
  t.regex(sidecar.snapshot.policy?.source ?? "", /app-a\/default \(cannot be read\)$/);
  site.say({ type: "MODIFIED", object: policyObject("PERMISSIVE") });
  await until(() => sidecar.snapshot.policy?.mode === "permissive");
  site.say({ type: "MODIFIED", object: bad });
  site.say({ type: "DELETED", object: bad });
  await until(() => sidecar.snapshot.policy?.source === "default");
  t.is(sidecar.snapshot.policy?.mode, "permissive");
  sidecar.close();
});

const refusals: readonly [
  title: string,
  token: (site: Site) => Promise<string>,
  code: RpcErrorCode,
][] = [
  ["without a token (attack case 55)", async () => "", "unauthenticated"],
  [
    "with a token for another audience (attack case 9)",
    (site) => site.token({ audience: "kubernetes" }),
    "unauthenticated",
  ],
  [
    "with a token of an earlier pod (attack case 9)",
    (site) => site.token({ uid: "old" }),
    "permission_denied",
  ],
  [
    "with a token of another issuer's key",
    () =>
      new TokenSigner(() => Date.now()).sign({
        audience: "signet-ca",
        lifetimeSeconds: 600,
        namespace: "app-a",
        serviceAccount: { name: "app-a", uid: "uid-sa" },
        pod: { name: "a-1", uid: "uid-a" },
      }),
    "unauthenticated",
  ],
];
for (const [title, token, code] of refusals) {
  test(`startController issues nothing ${title}`, async (t) => {
    await using site = await Site.create();
    await site.serveWorld(added(podObject), synced);
    await using controller = await site.start();
    await ready(site);
    const made = await token(site);
    const error = await t.throwsAsync(site.issue(controller, made), { instanceOf: RpcError });
    t.is(error?.code, code);
  });
}

test("attack-10 startController issues nothing to a token that comes from another address", async (t) => {
  await using site = await Site.create();
  const elsewhere = { ...podObject, status: { podIP: "10.1.0.1", phase: "Running" } };
  await site.serveWorld(added(elsewhere), synced);
  await using controller = await site.start();
  await ready(site);
  const error = await t.throwsAsync(site.issue(controller), { instanceOf: RpcError });
  t.is(error?.code, "permission_denied");
});

test("startController renews its own certificate and serves the new one", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject), synced);
  await using controller = await site.start({ SIGNET_SVID_LIFETIME_S: "30" });
  await ready(site);
  const end = async (): Promise<string> =>
    /certificate_not_after_seconds (\d+)/.exec((await site.get("/metrics")).body)?.[1] ?? "";
  const before = await end();
  for (let tries = 0; tries < 150 && (await end()) === before; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.true(Number(await end()) > Number(before));
  t.is((await site.issue(controller)).id, sidecarId);
});

test("attack-22 the read API stands on a socket for its owner and not on the network", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(synced);
  await using controller = await site.start();
  await ready(site);
  t.is(site.adminSocketMode(), 0o600);
  for (const name of ["certificates", "proxies", "policies"]) {
    const answer = await fetch(`http://127.0.0.1:${controller.adminPort}/v1/${name}`);
    t.is(answer.status, 404);
  }
});

test("attack-22 the read API stands on its own port of loopback alone, where it is asked for", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(synced);
  const port = await freePort();
  await using _controller = await site.start({ SIGNET_INSPECT_PORT: String(port) });
  await ready(site);
  const answer = await fetch(`http://127.0.0.1:${port}/v1/controller`);
  t.like(await answer.json(), { certificates: 1, proxies: 0 });
  const others = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outside = others.find(({ internal, family }) => !internal && family === "IPv4");
  if (outside !== undefined)
    await t.throwsAsync(fetch(`http://${outside.address}:${port}/v1/controller`));
});

test("the read API proves that what was issued is in the log, and that the log only grew", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject), synced);
  await using controller = await site.start();
  await ready(site);
  const ask = async (path: string): Promise<unknown> => JSON.parse((await site.get(path)).body);
  const [seen] = readHeads([await ask("/v1/log/head")]);
  t.is(seen?.size, 1, "the controller's own");
  const { chain } = await site.issue(controller);
  const serial = new X509Certificate(chain[0]!).serialNumber.toLowerCase();
  const found = readInclusion([await ask(`/v1/log/inclusion?serial=${serial}`)]);
  t.like(found, { index: 1, isProven: true });
  const told = JSON.parse(found!.entry) as { readonly certificate: string };
  t.is(told.certificate, Buffer.from(chain[0]!).toString("base64"));
  const query = `pod=${seen!.pod}&before=${seen!.size}`;
  const growth = readGrowth([await ask(`/v1/log/consistency?${query}`)], seen!);
  t.true(growth?.isProven);
  t.is(growth?.now.size, 2);
  const forged = { ...seen!, root: Buffer.alloc(32) };
  t.false(readGrowth([await ask(`/v1/log/consistency?${query}`)], forged)?.isProven);
  t.deepEqual(await ask("/v1/log/inclusion?serial=00"), { pod: seen!.pod, inclusion: null });
});

test("the read API serves the log as files, as tools for such logs expect them", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject), synced);
  await using controller = await site.start();
  await ready(site);
  await site.issue(controller);
  const file = async (name: string): Promise<Buffer> => {
    const { status, bytes } = await site.getBytes(`/v1/log/${name}`);
    t.is(status, 200, name);
    return bytes;
  };
  const { key } = JSON.parse((await site.get("/v1/log/head")).body) as { readonly key: string };
  const note = (await site.get("/v1/log/checkpoint")).body;
  const head = readCheckpoint(openNote(note, [readVerifier(key)]).text);
  t.is(head.size, 2);
  const entries = readEntries(await file("tile/entries/000.p/2"));
  const hashes = entries!.map(hashLeaf);
  t.deepEqual(await file("tile/0/000.p/2"), Buffer.concat(hashes));
  t.deepEqual(Buffer.from(head.root), Buffer.from(hashNode(hashes[0]!, hashes[1]!)));
  for (const name of [
    "0/000",
    "0/000.p/3",
    "1/000.p/1",
    "entries/001.p/1",
    "x",
    "0/000.p/0",
    "0/0",
  ]) {
    t.is((await site.get(`/v1/log/tile/${name}`)).status, 404, name);
  }
});

for (const query of [
  "certificates?x=1",
  "certificates?limit=all",
  "certificates?before=-1",
  "certificates?pod=a",
  "controller?a",
  "log/head?a",
  "log/inclusion",
  "log/inclusion?serial=x",
  "log/inclusion?serial=1&serial=2",
  "log/consistency?pod=a",
  "log/consistency?pod=a&before=-1",
  "log/consistency?pod=a&before=1&size=x",
  "log/entries?pod=a&from=0",
  "log/edge?pod=a",
  "log/tiles?pod=a",
  "proxies?a",
  "policies?a",
]) {
  test(`the read API answers /v1/${query} with 400`, async (t) => {
    await using site = await Site.create();
    await site.serveWorld(synced);
    await using _controller = await site.start();
    t.is((await site.get(`/v1/${query}`)).status, 400);
  });
}

const brokenFiles: readonly [file: string, text: string | null, message: RegExp][] = [
  ["root.crt", null, /Cannot read ".*root\.crt": ENOENT/],
  ["intermediate.key", null, /Cannot read ".*intermediate\.key": ENOENT/],
  ["intermediate.key", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n", /Cannot read authority/],
  ["root.crt", "nothing", /holds no certificate/],
];
for (const [file, text, message] of brokenFiles) {
  test(`startController does not start when ${file} ${text === null ? "is missing" : "is broken"}`, async (t) => {
    await using site = await Site.create();
    const name = path.join(site.folder, "ca", file);
    if (text === null) rmSync(name);
    else writeFileSync(name, text);
    const error = await t.throwsAsync(site.start(), { message });
    t.notRegex(error?.message ?? "", /c2VjcmV0/);
  });
}

test("startController makes a key of its own for each start", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject), synced);
  const keys = new Set<string | Buffer>();
  for (let index = 0; index < 2; index += 1) {
    await using controller = await site.start();
    await ready(site);
    const { chain } = await site.issue(controller);
    const issuer = new X509Certificate(chain[1]!);
    keys.add(issuer.publicKey.export({ type: "spki", format: "pem" }));
  }
  t.is(keys.size, 2);
});
