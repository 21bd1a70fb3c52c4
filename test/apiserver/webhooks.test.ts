// What the injector is given of a cluster, on a real API server: namespaces' labels, and its own CA
// bundle in its webhooks' configurations.
import test from "ava";
import { openAccess } from "#/cluster/kubernetes/access.ts";
import { createKubernetesClient } from "#/cluster/kubernetes/client.ts";
import { keepWebhookBundles } from "#/cluster/kubernetes/webhook-bundles.ts";
import { systemClock as clock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { ControlPlane } from "./control-plane.ts";
import { eventually } from "./eventually.ts";

let plane: ControlPlane;
test.before(async () => {
  plane = await ControlPlane.start();
});
test.after.always(() => plane?.[Symbol.asyncDispose]());

async function parts() {
  const access = await openAccess({ kind: "kubeconfig", file: plane.kubeconfig }, clock);
  return {
    client: createKubernetesClient(access, clock),
    clock,
    random: Math.random,
    log: silentLog,
  };
}

const webhook = (name: string): object => ({
  name,
  admissionReviewVersions: ["v1"],
  sideEffects: "None",
  failurePolicy: "Ignore",
  clientConfig: { service: { namespace: "signet-system", name: "signet-injector", path: "/x" } },
  rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }],
});

const configuration = (kind: string, ...names: readonly string[]): object => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind,
  metadata: { name: "signet" },
  webhooks: names.map(webhook),
});

async function found(kind: string): Promise<readonly string[]> {
  const { webhooks } = (await plane.get(kind, "signet")) as {
    webhooks: readonly { clientConfig: { caBundle?: string } }[];
  };
  return webhooks.map(({ clientConfig }) =>
    Buffer.from(clientConfig.caBundle ?? "", "base64").toString(),
  );
}

/** The API server takes certificates alone. */
async function certificate(): Promise<string> {
  const { data } = (await plane.get("-n", "kube-system", "configmap", rootName)) as {
    data: Record<string, string>;
  };
  return data["client-ca-file"] ?? "";
}
const rootName = "extension-apiserver-authentication";

test.serial("keepWebhookBundles sets the bundle in every webhook and puts it back", async (t) => {
  const given = await parts();
  await eventually(async () => (await certificate()) !== "");
  const first = await certificate();
  const second = `${first}\n`;
  let bundle = first;
  await using kept = keepWebhookBundles({
    ...given,
    mutating: "signet",
    validating: "signet",
    caBundlePem: () => bundle,
  });
  const mutating = configuration("MutatingWebhookConfiguration", "a.signet.dev", "b.signet.dev");
  const validating = configuration("ValidatingWebhookConfiguration", "c.signet.dev");
  await plane.apply(mutating, validating);
  const all = async (): Promise<readonly string[]> => [
    ...(await found("mutatingwebhookconfiguration")),
    ...(await found("validatingwebhookconfiguration")),
  ];
  const are = (text: string) => async (): Promise<boolean> =>
    (await all()).every((each) => each === text);
  await eventually(are(first));
  t.is((await all()).length, 3);
  const clear = [{ op: "remove", path: "/webhooks/1/clientConfig/caBundle" }];
  const patch = ["--type=json", "-p", JSON.stringify(clear)];
  await plane.kubectl("patch", "mutatingwebhookconfiguration", "signet", ...patch);
  await eventually(are(first));
  bundle = second;
  kept.changed();
  await eventually(are(second));
  // Applied again by whoever installs, without the bundle: it stays, or comes back.
  await plane.apply(mutating, validating);
  await eventually(are(second));
  given.client.close();
});
