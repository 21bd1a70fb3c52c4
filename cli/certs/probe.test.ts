// The probe against real TLS servers: a sidecar's inbound side, others that are none, and what is no TLS.
import { createServer as createTcpServer } from "node:net";
import type { Server } from "node:net";
import { createServer } from "node:tls";
import type { TlsOptions } from "node:tls";
import test from "ava";
import type { ExecutionContext } from "ava";
import { toPem } from "#/identity/bundle.ts";
import { inspectChain } from "#/identity/inspect.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { MeshPair, answering } from "#/test/kit/mesh-pair.ts";
import { judgeHandshake, protocolsOffered, readEndpoint, readPodEndpoint } from "./endpoint.ts";
import { ProbeError, probe } from "./probe.ts";
import type { Handshake } from "./probe.ts";

const asSidecars = { protocols: protocolsOffered, serverName: null, timeoutMs: 3_000 };
const id = "spiffe://cluster.local/ns/b/sa/b";

async function listen(t: ExecutionContext, server: Server): Promise<number> {
  t.teardown(() => server.close());
  server.on("error", () => {});
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function serveTls(t: ExecutionContext, options: TlsOptions = {}) {
  const authority = await createAuthority();
  const { privateKey, chain } = await authority.issue(id);
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  const server = createServer({ key, cert: chain.map(toPem).join(""), ...options });
  server.on("tlsClientError", () => {});
  return { port: await listen(t, server), authority };
}

const derOf = ({ chain }: Handshake): readonly Uint8Array[] =>
  chain.map((each) => new Uint8Array(Buffer.from(each, "base64")));
const at = (port: number) => ({ ...asSidecars, host: "127.0.0.1", port, roots: [] });

test("probe sees a sidecar as another one does, without a certificate of its own", async (t) => {
  await using pair = await MeshPair.create();
  const half = await pair.addInbound(
    "b",
    answering(() => "ok"),
  );
  const handshake = await probe(at(half.port));
  t.is(handshake.version, "TLSv1.3");
  t.is(handshake.group, "X25519MLKEM768");
  t.is(handshake.alpn, "signet-http/1.1");
  t.false(handshake.isResumed);
  const inspection = inspectChain(derOf(handshake), {
    now: Date.now(),
    roots: null,
    trustDomain: null,
  });
  t.is(inspection.id as string, id);
  t.notRegex(half.callers.join(), /spiffe:/, "and gets no further than that");
});

test("probe lets OpenSSL judge the chain against the roots that it is given", async (t) => {
  const { port, authority } = await serveTls(t, { ALPNProtocols: ["h2"] });
  const trusted = await probe({ ...at(port), roots: [authority.root] });
  t.is(trusted.verification, "");
  t.is(trusted.alpn, "h2", "offered after the mesh's own were refused");
  t.true(derOf(trusted).length >= 2, "the leaf and its issuer");
  const foreign = await createAuthority("other");
  t.not((await probe({ ...at(port), roots: [foreign.root] })).verification, "");
});

test("probe takes a server without any protocol", async (t) => {
  const { port } = await serveTls(t);
  t.is((await probe(at(port))).alpn, "");
  const { port: strict } = await serveTls(t, { ALPNProtocols: ["something/1"] });
  t.is((await probe(at(strict))).alpn, "", "asked again with none");
  t.is((await probe({ ...at(strict), protocols: [["something/1"]] })).alpn, "something/1");
});

test("probe says what is wrong with what is no TLS 1.3 endpoint", async (t) => {
  const { port: old } = await serveTls(t, { maxVersion: "TLSv1.2" });
  const plain = await listen(
    t,
    createTcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
  );
  const silent = await listen(
    t,
    createTcpServer((socket) => void setTimeout(() => socket.destroy(), 2_000)),
  );
  for (const port of [old, plain]) {
    const error = await t.throwsAsync(probe(at(port)), { instanceOf: ProbeError });
    t.is(error?.code, "no_tls");
  }
  const late = await t.throwsAsync(probe({ ...at(silent), timeoutMs: 200 }));
  t.regex(late?.message ?? "", /no answer in time/);
  const closed = createTcpServer();
  const gone = await listen(t, closed);
  await new Promise((resolve) => closed.close(resolve));
  const refused = await t.throwsAsync(probe(at(gone)), { instanceOf: ProbeError });
  t.is(refused?.code, "unreachable");
  t.regex(refused?.message ?? "", /^Cannot reach 127\.0\.0\.1:\d+: ECONNREFUSED$/);
});

const good: Handshake = {
  version: "TLSv1.3",
  cipher: "TLS_AES_256_GCM_SHA384",
  group: "X25519MLKEM768",
  alpn: "signet-tcp",
  isResumed: false,
  verification: "",
  chain: [],
  elapsedMs: 1,
};
for (const [what, change, expected, broken] of [
  ["a sidecar's", {}, id, []],
  ["the controller's", { alpn: "h2" }, id, []],
  ["an old version", { version: "TLSv1.2" }, id, ["tls_failed"]],
  ["a resumed session", { isResumed: true }, id, ["session_resumed"]],
  ["a protocol that is not the mesh's", { alpn: "http/1.1" }, id, ["tls_failed"]],
  ["no protocol", { alpn: "" }, id, ["tls_failed"]],
  ["another root", { verification: "UNABLE_TO" }, id, ["peer_certificate_untrusted"]],
  ["another identity", {}, "spiffe://a/b", ["peer_identity_unexpected"]],
  ["no expectation", {}, null, []],
] as const) {
  test(`judgeHandshake of ${what} finds what a sidecar would refuse`, (t) => {
    const checks = judgeHandshake({ ...good, ...change }, { hasRoots: true, id, expected });
    t.deepEqual(
      checks.filter(({ passed }) => !passed).map(({ code }) => code),
      [...broken],
    );
    t.is(checks.length, expected === null ? 4 : 5);
  });
}

for (const [text, endpoint, pod] of [
  ["example.org:443", { host: "example.org", port: 443 }, null],
  ["10.77.1.3:8080", { host: "10.77.1.3", port: 8080 }, null],
  ["[fd77::1]:80", { host: "fd77::1", port: 80 }, null],
  ["app-b/app-b-v1:8080", null, { pod: "app-b/app-b-v1", port: 8080 }],
  ["app-b/app-b-v1", null, null],
  ["host:0", null, null],
  ["host:70000", null, null],
  ["a/b:0", null, null],
  ["::1:80", null, null],
  ["host", null, null],
] as const) {
  test(`readEndpoint and readPodEndpoint read "${text}"`, (t) => {
    t.deepEqual(readEndpoint(text), endpoint);
    t.deepEqual(readPodEndpoint(text), pod);
  });
}
