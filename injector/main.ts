// The injector: answers the API server's reviews of pods. Reads its environment here and nowhere else. It
// must never let a pod pass that should have a sidecar and has none.
import { createKubernetesClient } from "#/cluster/kubernetes/client.ts";
import { kubernetesPlace, openAccess } from "#/cluster/kubernetes/access.ts";
import { KubernetesError } from "#/cluster/kubernetes/kubernetes-error.ts";
import { systemClock } from "#/lib/clock.ts";
import { runMain } from "#/lib/lifecycle.ts";
import { createLog } from "#/lib/log.ts";
import { makeMemoryPrivate } from "#/lib/private-memory.ts";
import { runInjector } from "./app.ts";
import type { ClusterSide } from "./app.ts";
import { clusterSide } from "./cluster-side.ts";
import { readWebhookConfig } from "./config.ts";

const bootLog = createLog("injector", "info");
await runMain(bootLog, async (signal) => {
  makeMemoryPrivate("drop_foreign");
  const config = readWebhookConfig(process.env);
  const log = createLog("injector", config.injector.logLevel);
  const clock = systemClock;
  const random = (): number => Math.random();
  const openCluster = async (name: string): Promise<ClusterSide> => {
    const place = kubernetesPlace(process.env);
    if (place === null) {
      throw new KubernetesError("misconfigured", "Cannot keep the webhooks' caBundle: no cluster", {
        next: "Run it in a pod, set KUBECONFIG, or set SIGNET_WEBHOOK_CONFIGURATION to nothing",
      });
    }
    const client = createKubernetesClient(await openAccess(place, clock), clock);
    return clusterSide({ client, clock, random, log }, name);
  };
  await runInjector({ config, clock, random, log, openCluster }, signal);
});
