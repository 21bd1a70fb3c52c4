// The roles that are shipped are enough: the controller under its own service account, on a real API
// server, does all that it does, and is refused nothing.
import { randomBytes } from "node:crypto";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { startController } from "#/controller/app.ts";
import { readControllerConfig } from "#/controller/config.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { Site } from "../kit/controller-site.ts";
import { ControlPlane } from "./control-plane.ts";
import { eventually } from "./eventually.ts";
import { accountObject, laxPolicyResource, namespaceObject } from "./objects.ts";
import { podObject, policyObject } from "./objects.ts";

const shipped = fileURLToPath(new URL("../../k8s/base/", import.meta.url));

test("the shipped roles let the controller do all that it does", async (t) => {
  await using plane = await ControlPlane.start();
  await using site = await Site.create();
  await plane.kubectl("apply", "-f", path.join(shipped, "namespace.yaml"));
  await plane.kubectl("apply", "-f", path.join(shipped, "controller-access.yaml"));
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
  const config = readControllerConfig({
    SIGNET_CA_DIRECTORY: path.join(site.folder, "ca"),
    SIGNET_DATA_DIRECTORY: path.join(site.folder, "data"),
    SIGNET_WORLD: "kubernetes",
    KUBECONFIG: plane.tokenKubeconfig("controller", token),
    SIGNET_ADMIN_SOCKET: path.join(site.folder, "admin.sock"),
    POD_NAME: "signet-controller-0",
  });
  const refused: string[] = [];
  const warn = (message: string, fields: object = {}): void =>
    void refused.push(`${message} ${JSON.stringify(fields)}`);
  await using controller = await startController({
    config: { ...config, grpcPort: 0, adminPort: 0 },
    clock: systemClock,
    random: Math.random,
    randomBytes,
    log: { ...silentLog, warn, error: warn },
  });
  const isReady = async (): Promise<boolean> => (await site.get("/readyz")).status === 200;
  const said = (): string => refused.join("\n");
  await eventually(isReady, 15_000, said);
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
  await eventually(exists("-n", "app-a", "configmap", "signet-trust-bundle"), 15_000, said);
  t.deepEqual(refused, []);
});
