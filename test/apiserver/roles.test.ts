// The roles that are shipped are enough: the controller under its own service account, on a real API
// server, does all that it does, and is refused nothing.
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { httpRouteManifest } from "../cluster/build/gateway-api.ts";
import { Site } from "../kit/controller-site.ts";
import { ControlPlane } from "./control-plane.ts";
import { startOn } from "./controller.ts";
import { eventually } from "./eventually.ts";
import { accountObject, laxPolicyResource, namespaceObject } from "./objects.ts";
import { parentOf, podObject, policyObject, routeObject } from "./objects.ts";

const shipped = fileURLToPath(new URL("../../k8s/base/", import.meta.url));

test("the shipped roles let the controller do all that it does", async (t) => {
  await using plane = await ControlPlane.start();
  await using site = await Site.create();
  await plane.kubectl("apply", "-f", path.join(shipped, "namespace.yaml"));
  await plane.kubectl("apply", "-f", path.join(shipped, "controller-access.yaml"));
  await plane.kubectl("apply", "-f", await httpRouteManifest());
  await plane.apply(
    laxPolicyResource,
    namespaceObject("app-a", { "signet.dev/inject": "enabled" }),
    accountObject("app-a", "app-a"),
    podObject("app-a", "a-1", "app-a"),
  );
  const status = { status: { phase: "Running", podIP: "127.0.0.1" } };
  const patch = ["--subresource=status", "--type=merge", "-p", JSON.stringify(status)];
  await plane.kubectl("patch", "-n", "app-a", "pod", "a-1", ...patch);
  const account = ["-n", "signet-system", "signet-controller"];
  const token = (await plane.kubectl("create", "token", ...account)).trim();
  await using started = await startOn({
    name: "signet-controller-0",
    folder: site.folder,
    kubeconfig: plane.tokenKubeconfig("controller", token),
  });
  const { controller, said: lines } = started;
  const refused = (): readonly string[] => [...lines.warn, ...lines.error];
  const said = (): string => refused().join("\n");
  await eventually(() => lines.info.some((line) => line.startsWith("world listed")), 15_000, said);
  const bound = ["--bound-object-kind", "Pod", "--bound-object-name", "a-1", "--duration", "10m"];
  const given = ["create", "token", "-n", "app-a", "app-a", "--audience", "signet-ca", ...bound];
  t.truthy(await site.issue(controller, (await plane.kubectl(...given)).trim()));
  await plane.apply(policyObject("app-a", "STRICT"));
  const exists =
    (...what: readonly string[]) =>
    (): Promise<boolean> =>
      plane.kubectl("get", ...what).then(
        (text) => text.trim() !== "",
        () => false,
      );
  const output = ["-o", "jsonpath={.status.conditions}"];
  await eventually(exists("-n", "app-a", "peerauthentication", "default", ...output), 15_000, said);
  await plane.apply(routeObject("app-a", "orphan", { parentRefs: [parentOf("app-a")] }));
  const told = ["-n", "app-a", "httproute", "orphan", "-o", "jsonpath={.status.parents}"];
  await eventually(exists(...told), 15_000, said);
  await eventually(exists("-n", "app-a", "configmap", "signet-trust-bundle"), 15_000, said);
  await plane.kubectl("label", "namespace", "app-a", "signet.dev/inject-");
  await plane.kubectl("delete", "-n", "app-a", "pod", "a-1", "--force", "--grace-period=0");
  const bundle = exists("-n", "app-a", "configmap", "signet-trust-bundle");
  await eventually(async () => !(await bundle()), 15_000, said);
  t.deepEqual(refused(), []);
});

test("the shipped roles let the controllers rotate the root that a Secret holds", async (t) => {
  await using plane = await ControlPlane.start();
  await using site = await Site.create();
  await plane.kubectl("apply", "-f", path.join(shipped, "namespace.yaml"));
  await plane.kubectl("apply", "-f", path.join(shipped, "controller-access.yaml"));
  await plane.kubectl("apply", "-f", await httpRouteManifest());
  await plane.apply(laxPolicyResource);
  const account = ["-n", "signet-system", "signet-controller"];
  const token = (await plane.kubectl("create", "token", ...account)).trim();
  const kubeconfig = plane.tokenKubeconfig("rotating", token);
  const common = { folder: site.folder, kubeconfig, custody: "secret" } as const;
  await using one = await startOn({ ...common, name: "signet-controller-0" });
  await using other = await startOn({ ...common, name: "signet-controller-1" });
  const request = { id: "one", at: Date.now(), action: "rotate", of: "root" };
  await plane.apply({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "signet-rotation", namespace: "signet-system" },
    data: { request: JSON.stringify(request) },
  });
  const said = [one.said.warn, one.said.error, other.said.warn, other.said.error];
  const lines = (): readonly string[] => said.flat();
  const hasEnded = async (): Promise<boolean> => {
    const { last } = (await other.get("/v1/authority")) as { last: { end: string } | null };
    return last?.end === "rotated";
  };
  await eventually(hasEnded, 40_000, () => lines().join("\n"));
  const expected = /^(?:a root was made|authority in force|rotation (?:begun|goes on|ended))\b/;
  t.deepEqual(
    lines().filter((line) => !expected.test(line)),
    [],
  );
});
