import test from "ava";
import type { HttpRouteRecord, ServicePortRecord } from "#/cluster/events.ts";
import { route } from "#/test/kit/objects.ts";
import { judgeRoute } from "./route-verdict.ts";

const port = (name: string, number: number): ServicePortRecord => ({
  name,
  port: number,
  targetPort: null,
  appProtocol: null,
});
const services: Readonly<Record<string, readonly ServicePortRecord[]>> = {
  "app/web": [port("http", 80), port("grpc", 81)],
  "app/v1": [port("", 80)],
  "other/web": [port("http", 80)],
};
const judge = (parent: object, ...backends: readonly object[]) =>
  judgeRoute(
    route("app/r", { name: "web", ...parent }, [{ backendRefs: backends }]) as HttpRouteRecord,
    (service) => services[service] ?? null,
  );

const parents: readonly [parent: object, reason: string, message: RegExp][] = [
  [{}, "Accepted", /^In force$/],
  [{ port: 81 }, "Accepted", /^In force$/],
  [{ sectionName: "grpc" }, "Accepted", /^In force$/],
  [{ port: 81, sectionName: "grpc" }, "Accepted", /^In force$/],
  [{ port: 81, sectionName: "http" }, "NoMatchingParent", /"app\/web" has no port 81 named http$/],
  [{ port: 82 }, "NoMatchingParent", /"app\/web" has no port 82$/],
  [{ sectionName: "admin" }, "NoMatchingParent", /"app\/web" has no port admin$/],
  [{ name: "none" }, "NoMatchingParent", /^There is no Service "app\/none"$/],
  [{ namespace: "other" }, "NotAllowedByListeners", /"other\/web" is in another namespace/],
];
for (const [parent, reason, message] of parents) {
  test(`judgeRoute says ${reason} of the parent ${JSON.stringify(parent)}`, (t) => {
    const [verdict] = judge(parent).accepted;
    t.is(verdict?.status, reason === "Accepted" ? "True" : "False");
    t.is(verdict?.reason, reason);
    t.regex(verdict?.message ?? "", message);
  });
}

const good = { name: "v1", port: 80 };
const backends: readonly [backend: object, reason: string, message: RegExp][] = [
  [{ name: "v2", port: 80 }, "BackendNotFound", /there is no Service "app\/v2"/],
  [{ name: "v1", port: 81 }, "BackendNotFound", /"app\/v1" has no port 81/],
  [{ name: "web", namespace: "other", port: 80 }, "RefNotPermitted", /no ReferenceGrant/],
  [{ kind: "Secret", name: "s" }, "InvalidKind", /is a Secret; only Services/],
  [{ group: "a.b", kind: "Service", name: "s" }, "InvalidKind", /is a a\.b\/Service/],
];
for (const [backend, reason, message] of backends) {
  test(`judgeRoute says ${reason} of the backend ${JSON.stringify(backend)}`, (t) => {
    const { accepted, resolvedRefs } = judge({}, good, backend);
    t.is(accepted[0]?.status, "True", "the rest of the route holds");
    t.like(resolvedRefs, { status: "False", reason });
    t.regex(resolvedRefs.message, /^spec\.rules\.0\.backendRefs\.1: /);
    t.regex(resolvedRefs.message, message);
  });
}

test("judgeRoute finds backends that are there, and no fault in having none", (t) => {
  t.like(judge({}, good).resolvedRefs, { status: "True", reason: "ResolvedRefs" });
  t.like(judge({}).resolvedRefs, { status: "True", reason: "ResolvedRefs" });
});

test("judgeRoute tells the first faults of many", (t) => {
  const gone = Array.from({ length: 16 }, (_, index) => ({ name: `g${index}`, port: 80 }));
  t.is(judge({}, ...gone).resolvedRefs.message.split("; ").length, 5);
});
