// What an HTTPRoute's status says, on a real API server with the standard channel's definition.
import test from "ava";
import { httpRouteManifest } from "../cluster/build/gateway-api.ts";
import { Site } from "../kit/controller-site.ts";
import { ControlPlane } from "./control-plane.ts";
import { startOn } from "./controller.ts";
import { eventually } from "./eventually.ts";
import { namespaceObject, parentOf, routeObject, serviceObject } from "./objects.ts";

interface Entry {
  readonly controllerName: string;
  readonly parentRef: { readonly name: string };
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
    readonly observedGeneration: number;
  }[];
}

const backends = (...names: readonly string[]): object => ({
  backendRefs: names.map((name) => ({ name, port: 80 })),
});

test("a route's status says for each Service whether it routes, and what is wrong", async (t) => {
  await using plane = await ControlPlane.start();
  await using site = await Site.create();
  await plane.kubectl("apply", "-f", await httpRouteManifest());
  await plane.established("httproutes.gateway.networking.k8s.io");
  await plane.apply(...["signet-system", "app", "other"].map((name) => namespaceObject(name)));
  await plane.apply(
    ...["web", "v1", "v2"].map((name) => serviceObject("app", name)),
    serviceObject("other", "theirs"),
  );
  const entries = async (name: string): Promise<readonly Entry[]> => {
    const { status } = (await plane.get("-n", "app", "httproute", name)) as {
      status?: { parents: readonly Entry[] };
    };
    return status?.parents ?? [];
  };
  const version = (name: string): Promise<string> =>
    plane.kubectl(
      "get",
      "-n",
      "app",
      "httproute",
      name,
      "-o",
      "jsonpath={.metadata.resourceVersion}",
    );
  /** Our entries as "parent Accepted=True Accepted; ResolvedRefs=..". */
  const told = async (name: string): Promise<readonly string[]> =>
    (await entries(name))
      .filter(({ controllerName }) => controllerName === "signet.dev/controller")
      .map(({ parentRef, conditions }) => {
        const said = conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
        return `${parentRef.name} ${said.join("; ")}`;
      });
  const become = async (name: string, ...wanted: readonly string[]): Promise<void> => {
    let seen: readonly string[] = [];
    const isSo = async (): Promise<boolean> => {
      seen = await told(name);
      return JSON.stringify(seen) === JSON.stringify(wanted);
    };
    await eventually(isSo, 25_000, () => seen.join("\n"));
  };
  const messages = async (name: string): Promise<string> =>
    (await entries(name))
      .flatMap(({ conditions }) => conditions.map(({ message }) => message))
      .join("\n");
  const good = "web Accepted=True Accepted; ResolvedRefs=True ResolvedRefs";

  await using _controller = await startOn({
    name: "c",
    folder: site.folder,
    kubeconfig: plane.kubeconfig,
  });
  const spec = { parentRefs: [parentOf("web")], rules: [backends("v1", "v2")] };
  await plane.apply(routeObject("app", "good", spec));
  await become("good", good);

  // Another controller's word stays, and ours is not written again and again.
  const foreign = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "edge" };
  const word = {
    controllerName: "example.net/gateway",
    parentRef: foreign,
    conditions: [
      {
        type: "Accepted",
        status: "True",
        reason: "Accepted",
        message: "theirs",
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
    ],
  };
  const shared = [parentOf("web"), foreign];
  await plane.apply(routeObject("app", "good", { ...spec, parentRefs: shared }));
  const patch = [{ op: "add", path: "/status/parents/0", value: word }];
  const subresource = ["--subresource=status", "--type=json", "-p", JSON.stringify(patch)];
  await plane.kubectl("patch", "-n", "app", "httproute", "good", ...subresource);
  await plane.apply(
    routeObject("app", "good", { ...spec, parentRefs: shared, rules: [backends("v1")] }),
  );
  await eventually(async () => {
    const own = (await entries("good")).find(({ controllerName }) =>
      controllerName.startsWith("signet"),
    );
    return own?.conditions.every(({ observedGeneration }) => observedGeneration === 3) === true;
  });
  t.like((await entries("good"))[0], word);
  t.is((await entries("good")).length, 2);
  const before = await version("good");
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  t.is(await version("good"), before);

  // Parents that are not there, have no such port, or are somebody else's.
  await plane.apply(
    routeObject("app", "parents", {
      parentRefs: [
        parentOf("gone"),
        parentOf("web", { port: 81 }),
        parentOf("v1", { sectionName: "grpc" }),
        parentOf("v2", { sectionName: "http" }),
        parentOf("theirs", { namespace: "other" }),
      ],
    }),
  );
  const resolved = "ResolvedRefs=True ResolvedRefs";
  await become(
    "parents",
    `gone Accepted=False NoMatchingParent; ${resolved}`,
    `web Accepted=False NoMatchingParent; ${resolved}`,
    `v1 Accepted=False NoMatchingParent; ${resolved}`,
    `v2 Accepted=True Accepted; ${resolved}`,
    `theirs Accepted=False NotAllowedByListeners; ${resolved}`,
  );
  t.regex(await messages("parents"), /There is no Service "app\/gone"/);
  t.regex(await messages("parents"), /Service "app\/web" has no port 81/);
  await plane.apply(serviceObject("app", "gone"));
  await eventually(async () => (await told("parents"))[0]?.includes("True Accepted") === true);

  // Backends.
  const route = (name: string, ...refs: readonly object[]): object =>
    routeObject("app", name, { parentRefs: [parentOf("web")], rules: [{ backendRefs: refs }] });
  await plane.apply(
    route("absent", { name: "v1", port: 80 }, { name: "v3", port: 80 }),
    route("no-port", { name: "v1", port: 81 }),
    route("foreign", { name: "theirs", namespace: "other", port: 80 }),
    route("kind", { group: "example.net", kind: "Bucket", name: "b" }),
  );
  const refs = (reason: string): string =>
    `web Accepted=True Accepted; ResolvedRefs=False ${reason}`;
  await become("absent", refs("BackendNotFound"));
  t.regex(
    await messages("absent"),
    /spec\.rules\.0\.backendRefs\.1: there is no Service "app\/v3"/,
  );
  await become("no-port", refs("BackendNotFound"));
  await become("foreign", refs("RefNotPermitted"));
  await become("kind", refs("InvalidKind"));
  await plane.apply(serviceObject("app", "v3"));
  await become("absent", good);

  // What cannot be read says where, and what is in force instead.
  const filtered = {
    ...spec,
    rules: [
      { filters: [{ type: "RequestHeaderModifier", requestHeaderModifier: { remove: ["a"] } }] },
    ],
  };
  await plane.apply(routeObject("app", "good", filtered), routeObject("app", "new", filtered));
  const unread = "web Accepted=False UnsupportedValue; ResolvedRefs=Unknown Pending";
  await become("good", unread);
  await become("new", unread);
  t.regex(
    await messages("good"),
    /spec\.rules\.0\.filters: not supported.*last version .* stays in force/,
  );
  t.regex(await messages("new"), /nothing of the route is in force/);

  // A parent that the route no longer names takes its entry along.
  await plane.apply(routeObject("app", "new", { parentRefs: [foreign] }));
  await become("new");
});
