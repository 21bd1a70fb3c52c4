// A policy that nobody can read, on a real API server: what holds instead, and who says so.
import test from "ava";
import { Site } from "../kit/controller-site.ts";
import { ControlPlane } from "./control-plane.ts";
import type { Started } from "./controller.ts";
import { startOn } from "./controller.ts";
import { eventually } from "./eventually.ts";
import { accountObject, laxPolicyResource, namespaceObject } from "./objects.ts";
import { podObject, policyObject } from "./objects.ts";

interface Policies {
  readonly unreadable: readonly { readonly namespace: string; readonly reason: string }[];
  readonly pods: readonly {
    readonly pod: string;
    readonly mode: string;
    readonly source: string;
  }[];
}

test("a policy that cannot be read holds its pods to STRICT, unless a good version is known", async (t) => {
  await using plane = await ControlPlane.start();
  await using site = await Site.create();
  await plane.apply(
    laxPolicyResource,
    ...["signet-system", "app-a", "other"].map((name) => namespaceObject(name)),
  );
  await plane.established("peerauthentications.signet.dev");
  await plane.apply(
    ...["app-a", "other"].map((namespace) => accountObject(namespace, "default")),
    podObject("app-a", "a", "default"),
    podObject("other", "b", "default"),
    policyObject("app-a", "SOMETIMES"),
  );
  let started: Started = await startOn({
    name: "c",
    folder: site.folder,
    kubeconfig: plane.kubeconfig,
  });
  t.teardown(() => started[Symbol.asyncDispose]());
  const policies = async (): Promise<Policies> => (await started.get("/v1/policies")) as Policies;
  const modes = async (): Promise<string> =>
    (await policies()).pods.map(({ pod, mode }) => `${pod} ${mode}`).join(", ");
  const become = (wanted: string): Promise<void> =>
    eventually(
      async () => (await modes()) === wanted,
      25_000,
      () => wanted,
    );
  const message = async (namespace: string): Promise<string> => {
    const path = ["-o", "jsonpath={.status.conditions[0].message}"];
    return plane.kubectl("get", "-n", namespace, "peerauthentication", "default", ...path);
  };
  const says = (namespace: string, what: RegExp): Promise<void> =>
    eventually(
      async () => what.test(await message(namespace)),
      25_000,
      () => String(what),
    );

  // From the start, without a version that could be read.
  await become("app-a/a strict, other/b permissive");
  const [held] = (await policies()).pods;
  t.is(held?.source, "PeerAuthentication app-a/default (cannot be read)");
  t.like((await policies()).unreadable[0], { namespace: "app-a" });
  t.regex((await policies()).unreadable[0]?.reason ?? "", /spec\.mtls\.mode/);
  t.regex(started.said.error.join("\n"), /policy cannot be read.*held to STRICT.*app-a\/default/);
  await says("app-a", /spec\.mtls\.mode.*all pods of namespace "app-a" are held to STRICT$/);

  // Mended, then broken again: the last good one.
  await plane.apply(policyObject("app-a", "PERMISSIVE"));
  await become("app-a/a permissive, other/b permissive");
  await says("app-a", /^In force$/);
  await plane.apply(policyObject("app-a", "NEVER"));
  await says("app-a", /the last version that could be read stays in force$/);
  t.is(await modes(), "app-a/a permissive, other/b permissive");

  // Whoever starts now does not know that version.
  await started[Symbol.asyncDispose]();
  started = await startOn({ name: "d", folder: site.folder, kubeconfig: plane.kubeconfig });
  await become("app-a/a strict, other/b permissive");
  await says("app-a", /are held to STRICT$/);
  await plane.kubectl("delete", "-n", "app-a", "peerauthentication", "default");
  await become("app-a/a permissive, other/b permissive");

  // For the whole mesh, but for whom a nearer policy decides.
  await plane.apply(policyObject("other", "PERMISSIVE"), policyObject("signet-system", "NO"));
  await become("app-a/a strict, other/b permissive");
  await says("signet-system", /all pods of the mesh for which no policy of their own/);

  // Two for the same pods: the status says which one holds.
  const second = {
    ...policyObject("other", "STRICT"),
    metadata: { namespace: "other", name: "z" },
  };
  await plane.apply(second);
  const path = ["-o", "jsonpath={.status.conditions[0].reason}: {.status.conditions[0].message}"];
  const told = (): Promise<string> =>
    plane.kubectl("get", "-n", "other", "peerauthentication", "z", ...path);
  await eventually(async () => /^Conflicted: Not in force.*"other\/default"/.test(await told()));
  await plane.kubectl("delete", "-n", "other", "peerauthentication", "default");
  await become("app-a/a strict, other/b strict");
  await eventually(async () => (await told()) === "Accepted: In force");
});
