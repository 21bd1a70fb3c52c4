// Federation put together: who is federated comes from the index, bundles from their endpoints, and what comes
// of it goes back into the index and into the metrics.
import path from "node:path";
import { readCertificate } from "#/identity/certificate.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Log } from "#/lib/log.ts";
import type { Watch } from "#/lib/watch.ts";
import type { ControllerConfig } from "../config.ts";
import type { Mesh } from "../index/mesh.ts";
import type { ControllerMetrics } from "../metrics.ts";
import type { Trust } from "../trust.ts";
import type { WorldLoop } from "../world-loop.ts";
import { fetchBundle } from "./fetch.ts";
import { FederationKeeper } from "./keeper.ts";
import { openBundleStore } from "./store.ts";

export interface FederationParts {
  readonly config: Pick<ControllerConfig, "dataDirectory" | "federationEndpoints">;
  readonly mesh: Pick<Mesh, "setFederated">;
  readonly trust: Pick<Watch<Pick<Trust, "bundle">>, "get">;
  readonly loop: Pick<WorldLoop, "request">;
  readonly metrics: ControllerMetrics;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** Follows nobody until it is told to. */
export function openFederation(parts: FederationParts): FederationKeeper {
  const { config, mesh, trust, loop, metrics, clock, random, log } = parts;
  const allowed = config.federationEndpoints;
  const keeper = new FederationKeeper({
    fetch: ({ url, profile }, roots) => fetchBundle({ url, profile, roots, allowed, clock }),
    store: openBundleStore(path.join(config.dataDirectory, "federation")),
    own: () => trust.get().bundle,
    tell(bundles, awaited) {
      mesh.setFederated(bundles, awaited);
      loop.request();
    },
    fetched: (trustDomain, outcome) =>
      metrics.foreignBundleFetches.with(trustDomain, outcome).add(),
    clock,
    random,
    log,
  });
  metrics.foreignBundleFetched.onCollect(() => {
    metrics.foreignBundleFetched.clear();
    metrics.foreignBundleEnd.clear();
    for (const { federation, bundle, fetchedAt } of keeper.views()) {
      const { trustDomain } = federation;
      metrics.foreignBundleFetched.with(trustDomain).set((fetchedAt ?? 0) / 1000);
      const ends = bundle?.roots.map((root) => readCertificate(root).notAfter) ?? [];
      metrics.foreignBundleEnd.with(trustDomain).set(Math.max(0, ...ends) / 1000);
    }
  });
  return keeper;
}
