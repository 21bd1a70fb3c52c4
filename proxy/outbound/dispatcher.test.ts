// Requests from a caller to applications behind other sidecars, over real mutual TLS.
import test from "ava";
import type { Route } from "#/api/discovery.ts";
import { MeshPair, answering, ask, endpointOf, idOf } from "#/test/kit/mesh-pair.ts";
import type { Upstreams } from "./dispatcher.ts";
import type { ClusterState, EndpointState } from "./endpoint.ts";
import { EndpointStates } from "./endpoint.ts";
import { compileRoute } from "./route.ts";

const route = (cluster: string, headers: Route["matches"][number]["headers"] = []): Route => ({
  name: cluster,
  matches: headers.length === 0 ? [] : [{ path: null, method: null, headers }],
  backends: [{ cluster, weight: 1 }],
  retry: null,
  requestTimeoutMs: 0,
});

/** A service whose routes lead to clusters of one endpoint each. */
function serviceOf(
  routes: readonly Route[],
  endpoints: Readonly<Record<string, EndpointState>>,
): Upstreams {
  const clusters = new Map<string, ClusterState>();
  for (const [name, endpoint] of Object.entries(endpoints)) {
    clusters.set(name, { name, endpoints: [endpoint] });
  }
  const clusterOf = (name: string): ClusterState => clusters.get(name) ?? { name, endpoints: [] };
  const compiled = routes.map((each) => compileRoute(each, clusterOf, null));
  return {
    kind: "service",
    port: { service: "b/b", port: 80, protocol: "http", routes: compiled },
  };
}

const get = (host: string, path = "/", more = ""): string =>
  `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${more}\r\n`;

test("attack-53 each request of a connection is routed by its own Host, to the identity of that route", async (t) => {
  await using pair = await MeshPair.create();
  const one = await pair.addInbound(
    "one",
    answering((request) => `one ${/host: (\S+)/.exec(request)?.[1]}`),
  );
  const two = await pair.addInbound(
    "two",
    answering((request) => `two ${/host: (\S+)/.exec(request)?.[1]}`),
  );
  const upstreams = serviceOf(
    [route("two", [{ name: "host", value: "two.example" }]), route("one")],
    { one: endpointOf(one.id, one.port), two: endpointOf(two.id, two.port) },
  );
  const socket = pair.connect(await pair.addOutbound(upstreams, "http"));
  for (const [host, expected] of [
    ["one.example", "one one.example"],
    ["two.example", "two two.example"],
    ["one.example", "one one.example"],
    ["elsewhere.example", "one elsewhere.example"],
    ["two.example", "two two.example"],
    ["TWO.example", "two two.example"],
    ["Two.Example.", "two two.example"],
  ] as const) {
    t.true((await ask(socket, get(host))).endsWith(`\r\n\r\n${expected}`), host);
  }
  // One connection to each, used again for each of its requests and for nobody else's.
  t.deepEqual([one.callers, two.callers], [[idOf("a")], [idOf("a")]]);
});

test("attack-53 a connection to an address is not used for another identity at the same address", async (t) => {
  await using pair = await MeshPair.create();
  const one = await pair.addInbound(
    "one",
    answering(() => "one"),
  );
  const states = new EndpointStates([]);
  const at = (name: string): EndpointState => {
    const where = { address: "127.0.0.1", port: one.port, pod: "" };
    return states.acquire({ ...where, identity: idOf(name) });
  };
  t.is(at("one"), at("one"));
  t.not(at("one"), at("two"));
  const upstreams = serviceOf(
    [route("two", [{ name: "host", value: "two.example" }]), route("one")],
    { one: at("one"), two: at("two") },
  );
  const socket = pair.connect(await pair.addOutbound(upstreams, "http"));
  t.regex(await ask(socket, get("one.example")), /\r\n\r\none$/);
  const refused = await ask(socket, get("two.example"));
  t.regex(refused, /^HTTP\/1\.1 503 /);
  t.regex(await ask(socket, get("one.example")), /\r\n\r\none$/);
  t.regex(
    pair.metrics.registry.expose(),
    /refusals_total\{direction="outbound",reason="identity_refused"\} [1-9]/,
  );
});

test("attack-26 hosts, paths, methods and headers of a caller make no series of their own", async (t) => {
  await using pair = await MeshPair.create();
  const one = await pair.addInbound(
    "one",
    answering(() => "ok"),
  );
  const upstreams = serviceOf([route("one")], { one: endpointOf(one.id, one.port) });
  const socket = pair.connect(await pair.addOutbound(upstreams, "http"));
  const series = (): number =>
    [pair.metrics, one.metrics]
      .flatMap(({ registry }) => registry.expose().split("\n"))
      .filter((line) => line.startsWith("signet_")).length;
  t.regex(await ask(socket, get("first.example")), /\r\n\r\nok$/);
  const before = series();
  for (let index = 0; index < 200; index += 1) {
    const own = `x-request-id: unique-${index}\r\nuser-agent: unique-${index}\r\n`;
    const request = get(`unique-${index}.example`, `/unique-${index}?unique=${index}`, own);
    t.regex(await ask(socket, request.replace("GET", `M${index}`)), /\r\n\r\nok$/);
  }
  t.is(series(), before);
  for (const { registry } of [pair.metrics, one.metrics]) {
    t.notRegex(registry.expose(), /unique|example|M1/);
  }
  t.regex(one.metrics.registry.expose(), /responses_total\{.*status="200"\} 201/);
});

for (const name of ["__proto__", "constructor", "hasOwnProperty", "__defineGetter__"]) {
  test(`attack-48 a header named ${name} is a header, in routes too`, async (t) => {
    await using pair = await MeshPair.create();
    const one = await pair.addInbound(
      "one",
      answering((request) => request),
    );
    const two = await pair.addInbound(
      "two",
      answering(() => "two"),
    );
    const upstreams = serviceOf(
      [route("two", [{ name: name.toLowerCase(), value: "yes" }]), route("one")],
      { one: endpointOf(one.id, one.port), two: endpointOf(two.id, two.port) },
    );
    const socket = pair.connect(await pair.addOutbound(upstreams, "http"));
    const answer = await ask(socket, get("b", "/", `${name}: no\r\n`));
    t.true(answer.includes(`${name.toLowerCase()}: no\r\n`), answer);
    t.regex(await ask(socket, get("b", "/", `${name}: yes\r\n`)), /\r\n\r\ntwo$/);
    t.regex(await ask(socket, get("b")), /^HTTP\/1\.1 200 /);
    t.false("no" in Object.prototype);
  });
}

test("a request that an application's sidecar could not hand over is repeated at another endpoint", async (t) => {
  await using pair = await MeshPair.create();
  const gone = await pair.addInbound("one", (socket) => socket.destroy());
  const there = await pair.addInbound(
    "two",
    answering(() => "two"),
  );
  pair.closeApp(gone);
  const endpoints = [endpointOf(gone.id, gone.port), endpointOf(there.id, there.port)];
  const cluster = { name: "both", endpoints };
  const upstreams: Upstreams = {
    kind: "service",
    port: {
      service: "b/b",
      port: 80,
      protocol: "http",
      routes: [compileRoute(route("both"), () => cluster, null)],
    },
  };
  const socket = pair.connect(await pair.addOutbound(upstreams, "http"));
  for (let round = 0; round < 8; round += 1) {
    t.regex(await ask(socket, get("b")), /^HTTP\/1\.1 200 OK[^]*two$/);
  }
  t.regex(gone.metrics.registry.expose(), /reason="connect_failed"\} [1-9]/);
});
