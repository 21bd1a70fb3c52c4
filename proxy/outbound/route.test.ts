import test from "ava";
import { assert, constantFrom, integer, property, array } from "fast-check";
import type { Route, RouteMatch } from "#/api/discovery.ts";
import { fuzzOptions } from "#/test/kit/fuzz.ts";
import { defaultRetryPolicy } from "./retry.ts";
import { compileRoute, matchRoute } from "./route.ts";
import type { RouteFacts } from "./route.ts";

const route = (name: string, ...matches: RouteMatch[]): Route => ({
  name,
  matches,
  backends: [{ cluster: "b/b:80", weight: 1 }],
  retry: null,
  requestTimeoutMs: 0,
});
const match = (change: Partial<RouteMatch>): RouteMatch => ({
  path: null,
  method: null,
  headers: [],
  ...change,
});
const exact = (value: string) => match({ path: { kind: "exact", value } });
const prefix = (value: string) => match({ path: { kind: "prefix", value } });
const cluster = (name: string) => ({ name, endpoints: [] });
const compile = (routes: readonly Route[]) =>
  routes.map((each) => compileRoute(each, cluster, null));

function facts(method: string, path: string, headers: Record<string, string> = {}): RouteFacts {
  return { method: () => method, path: () => path, header: (name) => headers[name] ?? null };
}

const matching = compile([
  route("exact", exact("/a")),
  route("prefix", prefix("/p/")),
  route("header", match({ method: "GET", headers: [{ name: "user", value: "test" }] })),
  route("either", exact("/one"), match({ path: { kind: "exact", value: "/two" }, method: "PUT" })),
  route(
    "both",
    match({
      headers: [
        { name: "a", value: "1" },
        { name: "b", value: "2" },
      ],
    }),
  ),
  route("default"),
]);
const requests: readonly [string, RouteFacts, string][] = [
  ["an exact path", facts("GET", "/a"), "exact"],
  ["a longer path than the exact one", facts("GET", "/a/"), "default"],
  ["an exact path in other case", facts("GET", "/A"), "default"],
  ["a prefix by whole elements", facts("GET", "/p/x"), "prefix"],
  ["a prefix itself", facts("GET", "/p"), "prefix"],
  ["a prefix with its slash", facts("GET", "/p/"), "prefix"],
  ["a path that only begins alike", facts("GET", "/pp"), "default"],
  ["a path that has the prefix further on", facts("GET", "/x/p"), "default"],
  ["a header and a method", facts("GET", "/", { user: "test" }), "header"],
  ["a header with another method", facts("POST", "/", { user: "test" }), "default"],
  ["a header with another value", facts("GET", "/", { user: "Test" }), "default"],
  [
    "attack-37 a header with the value among others",
    facts("GET", "/", { user: "test, x" }),
    "default",
  ],
  ["an empty header", facts("GET", "/", { user: "" }), "default"],
  ["the first of several matches", facts("GET", "/one"), "either"],
  ["the second of several matches", facts("PUT", "/two"), "either"],
  ["a part of the second match", facts("GET", "/two"), "default"],
  ["all of several headers", facts("GET", "/", { a: "1", b: "2" }), "both"],
  ["one of several headers", facts("GET", "/", { b: "2" }), "default"],
  ["the form that names no path", facts("OPTIONS", "*"), "default"],
];
for (const [what, request, name] of requests) {
  test(`route takes ${what} to "${name}"`, (t) => {
    t.is(matchRoute(matching, request)?.name, name);
  });
}

test("route of the prefix / takes every path", (t) => {
  const [all] = compile([route("all", prefix("/"))]);
  for (const path of ["/", "/a", "//", "/a/b"]) t.is(matchRoute([all!], facts("GET", path)), all!);
});

test("route finds nothing when no match fits and there is no default", (t) => {
  t.is(matchRoute(matching.slice(0, 1), facts("GET", "/z")), null);
  t.is(matchRoute([], facts("GET", "/z")), null);
});

test("route looks at nothing of the request when the first one takes everything", (t) => {
  const look = (): never => t.fail("was looked at");
  const routes = compile([route("default"), route("never", exact("/a"))]);
  t.is(matchRoute(routes, { method: look, path: look, header: look })?.name, "default");
});

test("route asks for path and method once, whatever the number of matches", (t) => {
  let asked = 0;
  const count = (text: string) => (): string => {
    asked += 1;
    return text;
  };
  const routes = compile(
    Array.from({ length: 20 }, (_unused, index) =>
      route(String(index), match({ path: { kind: "exact", value: `/${index}` }, method: "GET" })),
    ),
  );
  const found = matchRoute(routes, {
    method: count("GET"),
    path: count("/19"),
    header: () => null,
  });
  t.is(found?.name, "19");
  t.is(asked, 2);
});

test("route has the default policy where the controller names none", (t) => {
  const [compiled] = compile([route("default")]);
  t.is(compiled?.retry, defaultRetryPolicy);
});

test("route keeps its canary while the weights stay", (t) => {
  const [first] = compile([route("default")]);
  const clusters = new Map([["b/b:80", first!.canary.pick()!]]);
  const again = compileRoute(route("default"), (name) => clusters.get(name)!, first!);
  t.is(again.canary, first!.canary);
  const changed = { ...route("default"), backends: [{ cluster: "b/b:80", weight: 2 }] };
  t.not(compileRoute(changed, (name) => clusters.get(name)!, first!).canary, first!.canary);
});

test("route property: a prefix matches by whole elements", (t) => {
  const element = constantFrom("a", "b", "aa", "", "a.b");
  const path = array(element, { minLength: 1, maxLength: 4 }).map((all) => `/${all.join("/")}`);
  assert(
    property(path, path, integer({ min: 0, max: 1 }), (value, asked, slash) => {
      const [only] = compile([route("only", prefix(value + "/".repeat(slash)))]);
      const elements = (text: string) => text.split("/").slice(1);
      const wanted = elements(value + "/".repeat(slash));
      // One trailing slash, which is an empty last element, is ignored.
      if (wanted.at(-1) === "") wanted.pop();
      const expected = wanted.every((each, index) => elements(asked)[index] === each);
      return (matchRoute([only!], facts("GET", asked)) !== null) === expected;
    }),
    fuzzOptions(t, 500),
  );
  t.pass();
});
