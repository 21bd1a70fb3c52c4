// What the authority counts. Names and labels are constant; refusals carry the codes of CaError.
import type { Cell, CounterFamily, HistogramFamily, Registry } from "#/lib/metrics.ts";

export interface CaMetrics {
  readonly issued: Cell;
  /** By reason: a code of CaError. */
  readonly refused: CounterFamily;
  readonly jwtIssued: Cell;
  /** By reason: a code of CaError. */
  readonly jwtRefused: CounterFamily;
  readonly durationSeconds: ReturnType<HistogramFamily["with"]>;
}

const durationBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** Declares them in `registry`; once for each process. */
export function createCaMetrics(registry: Registry): CaMetrics {
  return {
    issued: registry
      .counter("signet_ca_certificates_issued_total", "Certificates issued to workloads")
      .with(),
    refused: registry.counter(
      "signet_ca_requests_refused_total",
      "Requests for a certificate that were refused, by reason",
      ["reason"],
    ),
    jwtIssued: registry
      .counter("signet_ca_jwt_svids_issued_total", "Tokens issued to workloads")
      .with(),
    jwtRefused: registry.counter(
      "signet_ca_jwt_requests_refused_total",
      "Requests for a token that were refused, by reason",
      ["reason"],
    ),
    durationSeconds: registry
      .histogram(
        "signet_ca_request_duration_seconds",
        "Time from a request for a certificate to its answer or refusal",
        [],
        durationBounds,
      )
      .with(),
  };
}
