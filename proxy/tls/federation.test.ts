// Who may speak for which trust domain, by attack: two meshes with a root each, over real TLS. Whatever one
// root signs, it names nobody of the other's trust domain, on either side of a connection.
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import test from "ava";
import type { FederatedBundles } from "#/api/discovery.ts";
import { parseSpiffeId, parseTrustDomain, trustDomainOf } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { systemClock } from "#/lib/clock.ts";
import { Watch } from "#/lib/watch.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import type { Authority } from "#/test/kit/authority.ts";
import { TlsAcceptor } from "./accept.ts";
import { alpnTcp, makeCredentials } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { hybridGroupCode } from "./key-exchange.ts";
import { originate } from "./originate.ts";

const [a, b, c] = ["mesh-a.test", "mesh-b.test", "mesh-c.test"].map(parseTrustDomain) as [
  TrustDomain,
  TrustDomain,
  TrustDomain,
];
const inA = parseSpiffeId("spiffe://mesh-a.test/ns/x/sa/x");
const inB = parseSpiffeId("spiffe://mesh-b.test/ns/y/sa/y");
const inC = parseSpiffeId("spiffe://mesh-c.test/ns/z/sa/z");

interface Roots {
  readonly a: Authority;
  readonly b: Authority;
  readonly c: Authority;
}

const bundles = (entries: readonly (readonly [TrustDomain, Authority])[]): FederatedBundles =>
  new Map(
    entries.map(([trustDomain, { root }]) => [
      trustDomain,
      { trustDomain, roots: [root], jwtAuthorities: [] },
    ]),
  );

/** Of a sidecar of mesh A, federated with B and C. */
const ofA = (
  svid: Svid,
  roots: Roots,
  federated = bundles([
    [b, roots.b],
    [c, roots.c],
  ]),
) => makeCredentials(svid, { trustDomain: a, roots: [roots.a.root] }, federated);

/** Of a peer with whatever certificate, that believes everybody: the other end is what is tried. */
const trusting = (svid: Svid, roots: Roots): Credentials => {
  const trustDomain = parseTrustDomain("liar.test");
  const all = Object.values(roots).map(({ root }: Authority) => root);
  const everybody = [a, b, c].map(
    (each) => [each, { trustDomain: each, roots: all, jwtAuthorities: [] }] as const,
  );
  return makeCredentials(svid, { trustDomain, roots: all }, new Map(everybody));
};

/** What the called side says of its caller, and the calling side of whom it called. */
async function meet(
  server: Credentials,
  client: Credentials,
  expected: SpiffeId,
): Promise<{ readonly server: string; readonly client: string }> {
  const acceptor = new TlsAcceptor(new Watch<Credentials | null>(server), systemClock);
  const accepted = Promise.withResolvers<string>();
  const sockets: Socket[] = [];
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    acceptor.accept(
      socket,
      [hybridGroupCode],
      ({ peer }) => accepted.resolve(peer.id),
      (reason) => accepted.resolve(reason),
    );
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const where = { address: "127.0.0.1", port, credentials: client, expected, protocols: [alpnTcp] };
  const outcome = await new Promise<string>((resolve) => {
    originate(
      { ...where, requiresPostQuantum: false, timeoutMs: 3_000, clock: systemClock },
      (socket, peer) => {
        socket.on("error", () => {});
        sockets.push(socket);
        resolve(peer.id);
      },
      ({ fault }) => resolve(fault),
    );
  });
  const verdict = outcome === "trust_domain_not_federated" ? "nobody came" : await accepted.promise;
  for (const socket of sockets) socket.destroy();
  listener.close();
  return { server: verdict, client: outcome };
}

async function rootsOf(): Promise<Roots> {
  const [one, other, third] = await Promise.all(
    ["a", "b", "c"].map((name) => createAuthority(name)),
  );
  return { a: one!, b: other!, c: third! };
}

test("a caller and an endpoint of a federated trust domain prove themselves by its own root", async (t) => {
  const roots = await rootsOf();
  const own = ofA(await roots.a.issue(inA), roots);
  const theirs = makeCredentials(
    await roots.b.issue(inB),
    { trustDomain: b, roots: [roots.b.root] },
    bundles([[a, roots.a]]),
  );
  t.deepEqual(await meet(own, theirs, inA), { server: inB, client: inA });
  t.deepEqual(await meet(theirs, own, inB), { server: inA, client: inB });
});

const callers: readonly (readonly [string, keyof Roots, SpiffeId, string])[] = [
  ["its own root, for the own trust domain", "b", inA, "peer_certificate_untrusted"],
  ["its own root, for a third trust domain", "b", inC, "peer_certificate_untrusted"],
  ["the mesh's root, for a federated trust domain", "a", inB, "peer_trust_domain_foreign"],
  ["a third root, for a federated trust domain", "c", inB, "peer_certificate_untrusted"],
];
for (const [what, root, id, expected] of callers) {
  test(`attack-7 a caller is refused whose certificate is under ${what}`, async (t) => {
    const roots = await rootsOf();
    const own = ofA(await roots.a.issue(inA), roots);
    const liar = trusting(await roots[root].issue(id), roots);
    t.is((await meet(own, liar, inA)).server, expected);
  });

  test(`attack-7 an endpoint is refused whose certificate is under ${what}`, async (t) => {
    const roots = await rootsOf();
    const own = ofA(await roots.a.issue(inA), roots);
    const liar = trusting(await roots[root].issue(id), roots);
    const { client } = await meet(liar, own, id);
    t.true(["tls_failed", "identity_refused"].includes(client), client);
  });
}

test("a trust domain that is not federated is neither let in nor dialled", async (t) => {
  const roots = await rootsOf();
  const own = ofA(await roots.a.issue(inA), roots, bundles([[c, roots.c]]));
  const theirs = trusting(await roots.b.issue(inB), roots);
  t.is((await meet(own, theirs, inA)).server, "peer_certificate_untrusted");
  t.deepEqual(await meet(theirs, own, inB), {
    server: "nobody came",
    client: "trust_domain_not_federated",
  });
});

test("a bundle that is told for the own trust domain as a foreign one counts for nothing", async (t) => {
  const roots = await rootsOf();
  const own = ofA(await roots.a.issue(inA), roots, bundles([[a, roots.b]]));
  const liar = trusting(await roots.b.issue(inA), roots);
  t.is((await meet(own, liar, inA)).server, "peer_certificate_untrusted");
  const { client } = await meet(liar, own, inA);
  t.is(client, "tls_failed");
});

const times: readonly (readonly [string, { notBefore?: number; notAfter?: number }])[] = [
  ["has ended", { notAfter: Date.now() - 10_000, notBefore: Date.now() - 60_000 }],
  ["has not begun", { notBefore: Date.now() + 60_000 }],
];
for (const [what, life] of times) {
  test(`a foreign caller is refused whose certificate ${what}`, async (t) => {
    const roots = await rootsOf();
    const own = ofA(await roots.a.issue(inA), roots);
    const theirs = trusting(await roots.b.issue(inB, life), roots);
    t.is((await meet(own, theirs, inA)).server, "peer_certificate_untrusted");
  });
}

test("a foreign caller is refused with a server's certificate, with two names, and without its issuer", async (t) => {
  const roots = await rootsOf();
  const own = ofA(await roots.a.issue(inA), roots);
  const url = (value: string) => ({ type: "url" as const, value });
  const svid = await roots.b.issue(inB);
  const bad: readonly Svid[] = [
    await roots.b.issue(inB, { usages: ["server"] }),
    await roots.b.issue(inB, { names: [url(inB), url(inA)] }),
    { ...svid, chain: svid.chain.slice(0, 1) },
  ];
  for (const one of bad) {
    const { server } = await meet(own, trusting(one, roots), inA);
    t.is(server, "peer_certificate_untrusted");
  }
  t.is(trustDomainOf(inB), b);
});
