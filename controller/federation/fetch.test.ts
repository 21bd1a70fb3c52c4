// Bundle endpoints as they are asked, over real TLS: who is believed, and where nobody is asked at all.
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { ServerResponse } from "node:http";
import test from "ava";
import type { ExecutionContext } from "ava";
import type { EndpointProfile } from "#/api/federation.ts";
import { toPem } from "#/identity/bundle.ts";
import { documentCharactersMax } from "#/identity/foreign-bundle.ts";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { systemClock } from "#/lib/clock.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { parseAllowedEndpoints } from "./addresses.ts";
import { fetchBundle } from "./fetch.ts";

const endpointId = parseSpiffeId("spiffe://partner.mesh/ns/signet-system/sa/signet-controller");
const spiffe: EndpointProfile = { kind: "https_spiffe", endpointId };

interface Endpoint {
  readonly url: string;
  readonly port: number;
  asked: number;
}

async function serve(
  t: ExecutionContext,
  svid: Svid,
  answer: (response: ServerResponse) => void = (response) => response.end("{}"),
): Promise<Endpoint> {
  const endpoint = { url: "", port: 0, asked: 0 };
  const server = createServer(
    {
      key: svid.privateKey.export({ type: "pkcs8", format: "pem" }),
      cert: svid.chain.map(toPem).join(""),
    },
    (_request, response) => {
      endpoint.asked += 1;
      answer(response);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  endpoint.port = (server.address() as AddressInfo).port;
  endpoint.url = `https://127.0.0.1:${endpoint.port}/bundle`;
  return endpoint;
}

const ask = (
  { url, port }: Pick<Endpoint, "url" | "port">,
  profile: EndpointProfile,
  roots: readonly Uint8Array[],
  allowed = parseAllowedEndpoints(`127.0.0.1:${port},localhost:${port}`),
): Promise<string> => fetchBundle({ url, profile, roots, allowed, clock: systemClock });

test("an endpoint of https_spiffe is believed by its SPIFFE ID under the bundle that is held", async (t) => {
  const authority = await createAuthority();
  const endpoint = await serve(t, await authority.issue(endpointId));
  t.is(await ask(endpoint, spiffe, [authority.root]), "{}");
});

test("an endpoint of https_spiffe is not believed under another root, nor as another identity", async (t) => {
  const [authority, other] = await Promise.all([createAuthority("a"), createAuthority("b")]);
  const genuine = await serve(t, await authority.issue(endpointId));
  const refused = { code: "endpoint_untrusted" };
  await t.throwsAsync(ask(genuine, spiffe, [other.root]), refused);
  await t.throwsAsync(ask(genuine, spiffe, []), refused);
  for (const id of [
    `${endpointId}x`,
    "spiffe://cluster.local/ns/signet-system/sa/signet-controller",
  ]) {
    const liar = await serve(t, await authority.issue(id));
    const error = await t.throwsAsync(ask(liar, spiffe, [authority.root]), refused);
    t.regex(error?.message ?? "", /it is "spiffe:/);
    t.is(liar.asked, 0, "not even asked");
  }
});

test("an endpoint of https_web is believed by its host's name under the roots that are given", async (t) => {
  const authority = await createAuthority();
  const names = [{ type: "dns" as const, value: "localhost" }];
  const web = await serve(t, await authority.issue(endpointId, { names }));
  const profile: EndpointProfile = { kind: "https_web", roots: toPem(authority.root) };
  const named = { ...web, url: web.url.replace("127.0.0.1", "localhost") };
  const allowed = parseAllowedEndpoints(
    `127.0.0.1:${web.port},[::1]:${web.port},localhost:${web.port}`,
  );
  t.is(await ask(named, profile, [], allowed), "{}");
  const refused = { code: "endpoint_untrusted" };
  await t.throwsAsync(
    ask(web, profile, []),
    refused,
    "by its address, which its certificate lacks",
  );
  await t.throwsAsync(ask(named, { kind: "https_web", roots: null }, [], allowed), refused);
});

test("attack-14 an endpoint on loopback is not asked unless it is allowed, by address and by name", async (t) => {
  const authority = await createAuthority();
  const endpoint = await serve(t, await authority.issue(endpointId));
  const refused = { code: "endpoint_forbidden" };
  const others = parseAllowedEndpoints("partner.example:443");
  for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "0x7f000001"]) {
    const url = endpoint.url.replace("127.0.0.1", host);
    await t.throwsAsync(
      fetchBundle({
        url,
        profile: spiffe,
        roots: [authority.root],
        allowed: null,
        clock: systemClock,
      }),
      refused,
      host,
    );
    await t.throwsAsync(ask({ ...endpoint, url }, spiffe, [authority.root], others), refused, host);
  }
  t.is(endpoint.asked, 0);
});

test("attack-14 an endpoint's redirect is not followed", async (t) => {
  const authority = await createAuthority();
  const svid = await authority.issue(endpointId);
  const inner = await serve(t, svid);
  const outer = await serve(t, svid, (response) => {
    response.writeHead(302, { location: inner.url }).end();
  });
  await t.throwsAsync(ask(outer, spiffe, [authority.root]), {
    code: "answer_invalid",
    message: /status 302/,
  });
  t.is(inner.asked, 0);
});

test("an answer that is too long, cut off or no text is refused", async (t) => {
  const authority = await createAuthority();
  const svid = await authority.issue(endpointId);
  const answers: readonly ((response: ServerResponse) => void)[] = [
    (response) => response.end("x".repeat(documentCharactersMax + 1)),
    (response) => {
      response.writeHead(200, { "content-length": 9 });
      response.write("x");
      setTimeout(() => response.destroy(), 20);
    },
    (response) => response.end(Buffer.from([0xff, 0xfe])),
  ];
  for (const answer of answers) {
    const endpoint = await serve(t, svid, answer);
    await t.throwsAsync(ask(endpoint, spiffe, [authority.root]), { code: "answer_invalid" });
  }
});

test("an endpoint that is not there is said to be unreachable", async (t) => {
  const authority = await createAuthority();
  const { port, url } = await serve(t, await authority.issue(endpointId));
  const gone = { port: port === 1 ? 2 : 1, url: url.replace(`:${port}/`, ":1/") };
  await t.throwsAsync(ask(gone, spiffe, [authority.root]), { code: "endpoint_unreachable" });
});
