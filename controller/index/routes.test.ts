import test from "ava";
import type { HttpRouteRecord, WorldObject } from "#/cluster/events.ts";
import { route } from "#/test/kit/objects.ts";
import { Routes, compileRoutes, producerParents } from "./routes.ts";

const exists = (service: string): boolean => !service.endsWith("/gone");
const asRoute = (object: WorldObject): HttpRouteRecord => {
  if (object.kind !== "HTTPRoute") throw new Error("It is no route");
  return object;
};
const web = { name: "web" };
const to = (name: string, weight = 1, more: object = {}): object => ({
  name,
  port: 80,
  weight,
  ...more,
});
const compile = (...routes: readonly WorldObject[]): ReturnType<typeof compileRoutes> =>
  compileRoutes(routes.map(asRoute), "app/web", { name: "http", port: 80 }, exists);
const path = (value: string, type = "PathPrefix"): object => ({ path: { type, value } });

test("compileRoutes without a route leads everything to the port's own cluster", (t) => {
  t.deepEqual(compile(), [
    {
      name: "default",
      matches: [],
      backends: [{ cluster: "app/web:80", weight: 1 }],
      retry: null,
      requestTimeoutMs: 0,
    },
  ]);
});

test("compileRoutes gives weights, retry and timeouts as the route says", (t) => {
  const compiled = compile(
    route("app/r", web, [
      {
        backendRefs: [to("v1", 90), to("v2", 10)],
        retry: { codes: [500, 503], attempts: 12, backoff: "25ms" },
        timeouts: { request: "10s", backendRequest: "2s" },
      },
    ]),
  );
  t.deepEqual(compiled, [
    {
      name: "app/r#0",
      matches: [],
      backends: [
        { cluster: "app/v1:80", weight: 90 },
        { cluster: "app/v2:80", weight: 10 },
      ],
      retry: { codes: [500, 503], attempts: 12, backoffMs: 25, perTryTimeoutMs: 2000 },
      requestTimeoutMs: 10_000,
    },
  ]);
});

const timeouts: readonly [request: string | undefined, backend: string | undefined, ms: number][] =
  [
    [undefined, undefined, 0],
    ["3s", undefined, 3000],
    [undefined, "2s", 2000],
    ["3s", "2s", 2000],
    ["0s", "2s", 2000],
  ];
for (const [request, backendRequest, ms] of timeouts) {
  test(`compileRoutes without retry bounds ${request} and ${backendRequest} by ${ms} ms`, (t) => {
    const [compiled] = compile(route("app/r", web, [{ timeouts: { request, backendRequest } }]));
    t.like(compiled, { retry: null, requestTimeoutMs: ms });
  });
}

test("compileRoutes fills in what a retry leaves open", (t) => {
  const [compiled] = compile(route("app/r", web, [{ retry: {} }]));
  t.deepEqual(compiled?.retry, {
    codes: [500, 502, 503, 504],
    attempts: 2,
    backoffMs: 25,
    perTryTimeoutMs: 0,
  });
});

test("compileRoutes orders matches by the Gateway API's precedence", (t) => {
  const compiled = compile(
    route(
      "app/young",
      web,
      [
        { matches: [path("/a")], backendRefs: [to("young-a")] },
        { matches: [path("/exact", "Exact")], backendRefs: [to("exact")] },
      ],
      2,
    ),
    route(
      "app/old",
      web,
      [
        { matches: [path("/a")], backendRefs: [to("old-a")] },
        { matches: [{ ...path("/a"), method: "GET" }], backendRefs: [to("method")] },
        {
          matches: [{ ...path("/a"), headers: [{ name: "a", value: "1" }] }],
          backendRefs: [to("header")],
        },
        { matches: [path("/a/longer")], backendRefs: [to("longer")] },
        {
          matches: [{ headers: [{ name: "user", value: "test" }] }],
          backendRefs: [to("any-path")],
        },
      ],
      1,
    ),
  );
  t.deepEqual(
    compiled.map(({ backends }) => backends[0]?.cluster.replace(/^app\/(.*):80$/, "$1")),
    ["exact", "longer", "method", "header", "old-a", "young-a", "any-path", "web"],
  );
});

test("compileRoutes breaks ties by name and then by the order of the rules", (t) => {
  const rule = (name: string): object => ({ matches: [path("/a")], backendRefs: [to(name)] });
  const compiled = compile(
    route("app/b", web, [{ ...rule("b0") }]),
    route("app/a", web, [{ ...rule("a0") }, { ...rule("a1") }]),
  );
  t.deepEqual(
    compiled.map(({ name }) => name),
    ["app/a#0", "app/a#1", "app/b#0", "default"],
  );
});

test("compileRoutes cuts a rule of several matches apart and keeps none after the one for everything", (t) => {
  const compiled = compile(
    route("app/r", web, [{ matches: [path("/"), path("/x")], backendRefs: [to("v1")] }]),
    route("app/s", web, [{ backendRefs: [to("v2")] }], 9),
  );
  t.deepEqual(
    compiled.map(({ name, matches }) => [name, matches.length]),
    [
      ["app/r#0.1", 1],
      ["app/r#0.0", 0],
    ],
  );
});

const unresolved: readonly [string, object][] = [
  ["that is not there", to("gone")],
  ["of another namespace, for which there is no grant", to("v1", 1, { namespace: "other" })],
];
for (const [title, backend] of unresolved) {
  test(`compileRoutes keeps the weight of a backend ${title}`, (t) => {
    const [compiled] = compile(route("app/r", web, [{ backendRefs: [to("v2", 3), backend] }]));
    t.deepEqual(compiled?.backends, [
      { cluster: "app/v2:80", weight: 3 },
      { cluster: "unresolved", weight: 1 },
    ]);
  });
}

const foreign: readonly [string, WorldObject][] = [
  [
    "of another namespace (attack case 21)",
    route("evil/r", { name: "web", namespace: "app" }, [{ backendRefs: [to("v1")] }]),
  ],
  ["for another service", route("app/r", { name: "other" }, [{ backendRefs: [to("v1")] }])],
  ["for another port", route("app/r", { name: "web", port: 81 }, [{ backendRefs: [to("v1")] }])],
];
for (const [title, object] of foreign) {
  test(`attack-21 compileRoutes ignores a route ${title}`, (t) => {
    t.deepEqual(compile(object), compile());
  });
}

test("attack-21 a route of another namespace marks no service", (t) => {
  const object = asRoute(route("evil/r", { name: "web", namespace: "app" }, []));
  const routes = new Routes();
  t.deepEqual(producerParents(object), []);
  t.deepEqual(routes.apply(object), []);
  t.deepEqual(routes.routesOf("app/web"), []);
});

test("Routes marks the services that a route leaves and those that it comes to", (t) => {
  const routes = new Routes();
  t.deepEqual(routes.apply(asRoute(route("app/r", web, []))), ["app/web"]);
  t.deepEqual(routes.apply(asRoute(route("app/r", { name: "api" }, []))), ["app/web", "app/api"]);
  t.deepEqual(routes.routesOf("app/web"), []);
  t.deepEqual(routes.delete("app/r"), ["app/api"]);
  t.deepEqual(routes.delete("app/r"), []);
});

test("compileRoutes takes a route for the port that its parent names", (t) => {
  const names = (section: string): readonly string[] =>
    compile(route("app/r", { ...web, sectionName: section }, [{}])).map(({ name }) => name);
  t.deepEqual(names("http"), ["app/r#0"]);
  t.deepEqual(names("grpc"), ["default"], "or it would be wider than it reads");
});

test("compileRoutes lets a backend that is no Service have its share of refusals", (t) => {
  const refs = [to("v1"), { ...to("v1"), kind: "Secret" }];
  t.deepEqual(compile(route("app/r", web, [{ backendRefs: refs }]))[0]?.backends, [
    { cluster: "app/v1:80", weight: 1 },
    { cluster: "unresolved", weight: 1 },
  ]);
});
