// The bundle endpoint over TLS, as a reader who trusts an earlier bundle meets it.
import { X509Certificate, createPublicKey } from "node:crypto";
import { request } from "node:https";
import type { RequestOptions } from "node:https";
import test from "ava";
import type { ExecutionContext } from "ava";
import { jwtAuthoritiesAt } from "#/ca/jwt-keys.ts";
import { toPem } from "#/identity/bundle.ts";
import { writeBundleDocument } from "#/identity/bundle-document.ts";
import { readCertificate } from "#/identity/certificate.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { readLeaf } from "#/identity/svid.ts";
import { Registry } from "#/lib/metrics.ts";
import { Watch } from "#/lib/watch.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { controllerId } from "#/test/kit/controller-server.ts";
import { newKey } from "#/test/kit/forge.ts";
import { bundlePath, startBundleEndpoint } from "./bundle-endpoint.ts";

const trustDomain = parseTrustDomain("cluster.local");

async function start(t: ExecutionContext, port = 0) {
  const authority = await createAuthority();
  const svid = new Watch(await authority.issue(controllerId));
  const requests = new Registry().counter("requests", "-", ["status"]);
  let served = "{}";
  const endpoint = await startBundleEndpoint({ port, svid, document: () => served, requests });
  t.teardown(() => endpoint[Symbol.asyncDispose]());
  const serve = (document: string): void => void (served = document);
  return { authority, svid, requests, endpoint, serve };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Of the server's leaf. */
  readonly serial: string;
}

function ask(
  { authority, endpoint }: Awaited<ReturnType<typeof start>>,
  change: RequestOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let serial = "";
    const asked = request(
      {
        host: "127.0.0.1",
        port: endpoint.port,
        path: bundlePath,
        ca: toPem(authority.root),
        agent: false,
        checkServerIdentity(_host, { raw }) {
          const leaf = readLeaf(raw);
          serial = leaf.serial;
          return leaf.id === controllerId ? undefined : new Error(`It is "${leaf.id}"`);
        },
        ...change,
      },
      (response) => {
        let body = "";
        response.on("data", (bytes: Buffer) => (body += bytes.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body, serial }));
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}

test("the bundle is served by the controller's own identity, as it is when it is asked for", async (t) => {
  const site = await start(t);
  site.serve('{"a":1}');
  t.like(await ask(site), { status: 200, body: '{"a":1}', serial: site.svid.get().serial });
  site.serve('{"a":2}');
  t.is((await ask(site)).body, '{"a":2}');
  site.svid.set(await site.authority.issue(controllerId));
  t.is((await ask(site)).serial, site.svid.get().serial);
});

const refusals: readonly (readonly [string, RequestOptions, number])[] = [
  ["another path", { path: "/" }, 404],
  ["a path below", { path: `${bundlePath}/x` }, 404],
  ["a query", { path: `${bundlePath}?a` }, 404],
  ["another method", { method: "POST" }, 405],
];
for (const [what, change, status] of refusals) {
  test(`${what} is answered ${status}, with nothing`, async (t) => {
    const site = await start(t);
    site.serve('{"a":1}');
    t.like(await ask(site, change), { status, body: "" });
    t.is(site.requests.with(String(status)).value, 1);
  });
}

test("TLS 1.2 is refused, and so is the server by who trusts another root", async (t) => {
  const site = await start(t);
  await t.throwsAsync(ask(site, { maxVersion: "TLSv1.2" }));
  const { root } = await createAuthority();
  await t.throwsAsync(ask(site, { ca: toPem(root) }));
});

test("a port that is taken is said, with the variable to change", async (t) => {
  const { endpoint } = await start(t);
  const error = await t.throwsAsync(start(t, endpoint.port), { code: "listen_failed" });
  t.regex((error as Error & { next: string }).next, /SIGNET_BUNDLE_PORT/);
});

test("the document holds each root and each key for tokens, and a sequence that grows with both", async (t) => {
  const { root } = await createAuthority();
  const later = await createAuthority();
  const now = Date.now();
  const jwtAuthorities = jwtAuthoritiesAt(newKey(), trustDomain, now);
  const read = (roots: readonly Uint8Array[], since: number) =>
    JSON.parse(writeBundleDocument({ roots, jwtAuthorities, since, refreshHintS: 300 })) as {
      readonly keys: readonly Readonly<Record<string, unknown>>[];
      readonly spiffe_sequence: number;
      readonly spiffe_refresh_hint: number;
    };
  const document = read([root], 0);
  t.deepEqual(
    document.keys.map(({ use }) => use),
    ["x509-svid", "jwt-svid", "jwt-svid", "jwt-svid"],
  );
  const [x509, ...jwt] = document.keys;
  const [der] = x509!["x5c"] as readonly string[];
  t.deepEqual(Buffer.from(der!, "base64"), Buffer.from(root));
  const key = createPublicKey({ key: x509 as never, format: "jwk" });
  t.true(key.equals(new X509Certificate(root).publicKey));
  t.deepEqual(
    jwt.map(({ kid }) => kid),
    jwtAuthorities.map(({ keyId }) => keyId),
  );
  t.false(document.keys.some((each) => "d" in each));
  t.is(document.spiffe_refresh_hint, 300);
  t.is(document.spiffe_sequence, Math.floor(readCertificate(root).notBefore / 1000));
  t.is(read([root], now).spiffe_sequence, Math.floor(now / 1000));
  t.true(read([root, later.root], 0).spiffe_sequence >= document.spiffe_sequence);
});
