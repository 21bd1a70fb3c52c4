// A Workload API on a Unix socket of a test's own, its certificates from a stand-in for the controller and a
// clock that the test turns.
import path from "node:path";
import type { ExecutionContext } from "ava";
import { WorkloadApi } from "#/proxy/workload/api.ts";
import type { WorkloadApiOptions } from "#/proxy/workload/api.ts";
import { ProxyMetrics } from "#/proxy/observe/metrics.ts";
import { CertifierFixture } from "./certifier.ts";
import { until } from "./controller-server.ts";
import { WorkloadClient } from "./workload-client.ts";

const strangerUid = 1337;

export interface Site {
  readonly fixture: CertifierFixture;
  readonly api: WorkloadApi;
  readonly metrics: ProxyMetrics;
  readonly socketPath: string;
  readonly client: (settings?: ConstructorParameters<typeof WorkloadClient>[1]) => WorkloadClient;
}

export interface SiteOptions {
  readonly peers?: WorkloadApiOptions["peers"];
  readonly fixture?: CertifierFixture;
}

export async function start(
  t: ExecutionContext,
  { peers, fixture = new CertifierFixture() }: SiteOptions = {},
): Promise<Site> {
  t.teardown(() => fixture[Symbol.dispose]());
  const socketPath = path.join(fixture.directory, "workload.sock");
  const metrics = new ProxyMetrics();
  const api = await WorkloadApi.start({
    ...fixture.options(),
    socketPath,
    peers: peers ?? { ownUser: strangerUid, users: null },
    metrics,
  });
  t.teardown(() => api.stop());
  const client: Site["client"] = (settings) => {
    const it = new WorkloadClient(socketPath, settings);
    t.teardown(() => it[Symbol.dispose]());
    return it;
  };
  return { fixture, api, metrics, socketPath, client };
}

/** With a first certificate. */
export async function certified(t: ExecutionContext, options?: SiteOptions): Promise<Site> {
  const site = await start(t, options);
  await until(() => site.api.svid !== null);
  return site;
}
