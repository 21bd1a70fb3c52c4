// Every metric of the sidecar, by name. The hot path keeps cells: a request is counted with a few
// additions and no look-up by text.
import { Registry } from "#/lib/metrics.ts";
import type { Cell, CounterFamily, GaugeFamily, HistogramCell } from "#/lib/metrics.ts";
import type { HistogramFamily } from "#/lib/metrics.ts";

export type Direction = "inbound" | "outbound";

const DURATION_BOUNDS_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const SIZE_BOUNDS_BYTES = [0, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 16_777_216];

/** What a request is counted under; texts are bounded by the mesh, never taken from a request. */
export interface RequestLabels {
  readonly direction: Direction;
  /** SPIFFE ID proven by mTLS, or "plaintext". */
  readonly source: string;
  readonly destination: string;
  /** "namespace/name", or empty. */
  readonly service: string;
  /** Cluster name, or empty. */
  readonly backend: string;
}

export class ProxyMetrics {
  readonly registry: Registry = new Registry();
  readonly duration: HistogramFamily = this.registry.histogram(
    "signet_proxy_request_duration_seconds",
    "Time from a request's first byte to its response's last byte",
    ["direction", "source", "destination", "service", "backend", "status"],
    DURATION_BOUNDS_SECONDS,
  );
  readonly requestBytes: HistogramFamily = this.registry.histogram(
    "signet_proxy_request_bytes",
    "Size of request bodies as they came",
    ["direction", "source", "destination", "service"],
    SIZE_BOUNDS_BYTES,
  );
  readonly responseBytes: HistogramFamily = this.registry.histogram(
    "signet_proxy_response_bytes",
    "Size of response bodies as they came",
    ["direction", "source", "destination", "service"],
    SIZE_BOUNDS_BYTES,
  );
  readonly responses: CounterFamily = this.registry.counter(
    "signet_proxy_responses_total",
    "Responses given to the caller, after retries",
    ["direction", "source", "destination", "service", "backend", "status"],
  );
  readonly tries: CounterFamily = this.registry.counter(
    "signet_proxy_tries_total",
    "Tries at an endpoint, before retries: outcome is a status class or a failure",
    ["service", "backend", "outcome"],
  );
  readonly retries: CounterFamily = this.registry.counter(
    "signet_proxy_retries_total",
    "Requests sent once more, by what made it necessary, and retries that were refused",
    ["service", "reason"],
  );
  readonly connections: CounterFamily = this.registry.counter(
    "signet_proxy_connections_total",
    "Connections opened between this sidecar and its peers",
    ["direction", "source", "destination", "transport", "version", "group"],
  );
  readonly connectionsOpen: GaugeFamily = this.registry.gauge(
    "signet_proxy_connections_open",
    "Connections accepted and not yet closed",
    ["direction"],
  );
  readonly connectionBytes: CounterFamily = this.registry.counter(
    "signet_proxy_connection_bytes_total",
    "Bytes of opaque TCP passed on",
    ["direction", "source", "destination", "flow"],
  );
  readonly refusals: CounterFamily = this.registry.counter(
    "signet_proxy_refusals_total",
    "Connections and requests refused by this sidecar",
    ["direction", "reason"],
  );
  readonly overloaded: GaugeFamily = this.registry.gauge(
    "signet_proxy_overloaded",
    "1 while new work in this direction is refused, because the event loop lags or memory nears its limit",
    ["direction"],
    "max",
  );
  readonly eventLoopLag: GaugeFamily = this.registry.gauge(
    "signet_proxy_event_loop_lag_seconds",
    "How long what was ready had to wait for its turn, at the last sample",
    [],
    "max",
  );
  readonly memoryShare: GaugeFamily = this.registry.gauge(
    "signet_proxy_memory_used_ratio",
    "Memory in use, as a share of the limit of the cgroup or of the heap, whichever is nearer",
    [],
    "max",
  );
  readonly workers: GaugeFamily = this.registry.gauge(
    "signet_proxy_workers",
    "Threads that carry traffic beside the one that speaks with the controller; 0 where that one carries it",
  );
  readonly workerRestarts: CounterFamily = this.registry.counter(
    "signet_proxy_worker_restarts_total",
    "Workers that died and were replaced: by an error of theirs, or for having been silent",
    ["reason"],
  );
  readonly expiredConnections: CounterFamily = this.registry.counter(
    "signet_proxy_connections_ended_by_certificate_total",
    "Connections closed because a certificate that opened them was ending: idle ones, drained ones, cut ones",
    ["direction", "how"],
  );
  readonly certificateNotAfter: GaugeFamily = this.registry.gauge(
    "signet_proxy_certificate_not_after_seconds",
    "End of the present certificate, seconds since the Unix epoch; 0 without one",
  );
  readonly certificatesIssued: CounterFamily = this.registry.counter(
    "signet_proxy_certificates_issued_total",
    "Certificates received from the controller",
  );
  readonly certificateFailures: CounterFamily = this.registry.counter(
    "signet_proxy_certificate_failures_total",
    "Failed requests for a certificate",
    ["reason"],
  );
  readonly workloadCertificatesIssued: CounterFamily = this.registry.counter(
    "signet_proxy_workload_certificates_issued_total",
    "Certificates received from the controller for the pod's own processes",
  );
  readonly workloadCertificateFailures: CounterFamily = this.registry.counter(
    "signet_proxy_workload_certificate_failures_total",
    "Failed requests for a certificate for the pod's own processes",
    ["reason"],
  );
  readonly workloadCertificateNotAfter: GaugeFamily = this.registry.gauge(
    "signet_proxy_workload_certificate_not_after_seconds",
    "End of the certificate that the Workload API hands out, seconds since the Unix epoch; 0 without one",
  );
  readonly workloadConnections: GaugeFamily = this.registry.gauge(
    "signet_proxy_workload_connections_open",
    "Connections to the Workload API",
  );
  readonly workloadConnectionsRefused: CounterFamily = this.registry.counter(
    "signet_proxy_workload_connections_refused_total",
    "Connections to the Workload API that are served nothing, by reason",
    ["reason"],
  );
  readonly workloadCalls: CounterFamily = this.registry.counter(
    "signet_proxy_workload_calls_total",
    "Calls of the Workload API at their end, by outcome",
    ["method", "outcome"],
  );
  readonly controllerConnected: GaugeFamily = this.registry.gauge(
    "signet_proxy_controller_connected",
    "1 while the discovery stream is open",
  );
  readonly heapBytes: GaugeFamily = this.registry.gauge(
    "signet_proxy_heap_bytes",
    "Heap that V8 has in use",
  );
  readonly externalBytes: GaugeFamily = this.registry.gauge(
    "signet_proxy_external_bytes",
    "Memory of buffers, which are not in the heap",
  );

  requestCells(labels: RequestLabels): RequestCells {
    return new RequestCells(this, labels);
  }
}

/** The cells of one set of labels. Status codes are looked up in an array. */
export class RequestCells {
  readonly requestBytes: HistogramCell;
  readonly responseBytes: HistogramCell;
  readonly #metrics: ProxyMetrics;
  readonly #labels: readonly [string, string, string, string, string];
  readonly #durations: (HistogramCell | undefined)[] = [];
  readonly #responses: (Cell | undefined)[] = [];

  constructor(metrics: ProxyMetrics, labels: RequestLabels) {
    const { direction, source, destination, service, backend } = labels;
    this.#metrics = metrics;
    this.#labels = [direction, source, destination, service, backend];
    this.requestBytes = metrics.requestBytes.with(direction, source, destination, service);
    this.responseBytes = metrics.responseBytes.with(direction, source, destination, service);
  }

  /** Counts one finished request; `status` 100 to 999, or 0 when the caller went away first. */
  record(status: number, seconds: number, requestBytes: number, responseBytes: number): void {
    const duration = this.#durations[status] ?? this.#add(status);
    duration.observe(seconds);
    this.#responses[status]!.value += 1;
    this.requestBytes.observe(requestBytes);
    this.responseBytes.observe(responseBytes);
  }

  #add(status: number): HistogramCell {
    const text = status === 0 ? "cancelled" : String(status);
    const duration = this.#metrics.duration.with(...this.#labels, text);
    this.#durations[status] = duration;
    this.#responses[status] = this.#metrics.responses.with(...this.#labels, text);
    return duration;
  }
}
