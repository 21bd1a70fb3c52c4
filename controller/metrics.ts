// Every metric of the controller, in one place; the documentation is made from it.
import type { CounterFamily, GaugeFamily, HistogramFamily, Registry } from "#/lib/metrics.ts";

export interface ControllerMetrics {
  readonly worldEvents: CounterFamily;
  readonly worldObjects: GaugeFamily;
  readonly worldConnected: GaugeFamily;
  readonly compileFaults: CounterFamily;
  readonly compileSeconds: HistogramFamily;
  readonly subscribers: GaugeFamily;
  readonly connections: GaugeFamily;
  readonly updates: CounterFamily;
  readonly refusedUpdates: CounterFamily;
  readonly acknowledgeSeconds: HistogramFamily;
  readonly calls: CounterFamily;
  readonly refusedConnections: CounterFamily;
  readonly ownCertificateEnd: GaugeFamily;
  readonly authorityEnd: GaugeFamily;
  readonly authorityShareLeft: GaugeFamily;
  readonly rotationWaiting: GaugeFamily;
  readonly bundleRequests: CounterFamily;
  readonly foreignBundleFetches: CounterFamily;
  readonly foreignBundleFetched: GaugeFamily;
  readonly foreignBundleEnd: GaugeFamily;
}

const secondsBounds = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30];

/** Declares all of them. Call once for a registry. */
export function declareMetrics(registry: Registry): ControllerMetrics {
  const name = (rest: string): string => `signet_controller_${rest}`;
  return {
    worldEvents: registry.counter(
      name("world_events_total"),
      "Events that came from the watched world, by type.",
      ["type"],
    ),
    worldObjects: registry.gauge(name("world_objects"), "Objects in the index, by kind.", ["kind"]),
    worldConnected: registry.gauge(
      name("world_connected"),
      "1 while the watch on the world stands and its list is complete, else 0.",
    ),
    compileFaults: registry.counter(
      name("compile_faults_total"),
      "Resources that could not be compiled; the last good one stays in force.",
    ),
    compileSeconds: registry.histogram(
      name("compile_seconds"),
      "Time to compile the resources that a burst of events changed.",
      [],
      secondsBounds,
    ),
    subscribers: registry.gauge(name("subscribers"), "Discovery streams that are open."),
    connections: registry.gauge(name("connections"), "gRPC connections that are open."),
    updates: registry.counter(name("updates_total"), "Discovery updates by what became of them.", [
      "outcome",
    ]),
    refusedUpdates: registry.counter(
      name("refused_resources_total"),
      "Resources that a sidecar refused; it keeps what it had.",
      ["kind"],
    ),
    acknowledgeSeconds: registry.histogram(
      name("acknowledge_seconds"),
      "Time from sending an update to its acknowledgement.",
      [],
      secondsBounds,
    ),
    calls: registry.counter(name("calls_total"), "Calls at their end, by method and outcome.", [
      "method",
      "outcome",
    ]),
    refusedConnections: registry.counter(
      name("refused_connections_total"),
      "Connections that were refused before any call, by reason.",
      ["reason"],
    ),
    ownCertificateEnd: registry.gauge(
      name("certificate_not_after_seconds"),
      "End of the controller's own certificate, seconds since the Unix epoch.",
    ),
    authorityEnd: registry.gauge(
      name("authority_not_after_seconds"),
      "End of what certificates hang from, seconds since the Unix epoch.",
      ["authority"],
    ),
    authorityShareLeft: registry.gauge(
      name("authority_life_left_ratio"),
      "Share of its life that is left to what certificates hang from, 1 to 0.",
      ["authority"],
    ),
    rotationWaiting: registry.gauge(
      name("rotation_waiting"),
      "Whom the driver of a rotation waits for; 0 without one.",
    ),
    bundleRequests: registry.counter(
      name("bundle_requests_total"),
      "Requests to the bundle endpoint, by status of the answer.",
      ["status"],
    ),
    foreignBundleFetches: registry.counter(
      name("foreign_bundle_fetches_total"),
      "Fetches of the bundles of federated trust domains, by what came of them.",
      ["trust_domain", "outcome"],
    ),
    foreignBundleFetched: registry.gauge(
      name("foreign_bundle_fetched_seconds"),
      "When a federated trust domain's bundle was last fetched, seconds since the Unix epoch; 0: never.",
      ["trust_domain"],
    ),
    foreignBundleEnd: registry.gauge(
      name("foreign_bundle_not_after_seconds"),
      "End of the root of a federated trust domain that lasts longest, seconds since the Unix epoch; 0: it has none.",
      ["trust_domain"],
    ),
  };
}
