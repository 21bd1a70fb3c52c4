// Outlier ejection: an endpoint that keeps failing gets no new requests for a while. Passive (seen in
// live traffic alone), bounded (never more than half of a cluster), longer each time it recurs.
import type { UpstreamFailure } from "../stream/transport.ts";
import type { EndpointState } from "./endpoint.ts";

export const consecutiveFailuresMax = 5;
export const ejectionBaseMs = 10_000;
export const ejectionMaxMs = 300_000;
/** An ejection is forgotten after so long without another. */
export const ejectionMemoryMs = 60_000;

/** Whether a failure says something about the endpoint; if not, it is ours. */
export function isEndpointFault(failure: UpstreamFailure): boolean {
  switch (failure) {
    // No certificate of ours, and a queue of ours that is full: an endpoint is not at fault for them. Nor
    // for a suspension or a federation that is withdrawn: once it is taken back, it is as good as it was.
    case "no_credentials":
    case "identity_suspended":
    case "trust_domain_not_federated":
    case "overflow":
    case "request_invalid":
      return false;
    case "connect_refused":
    case "connect_timeout":
    case "connect_failed":
    case "tls_failed":
    case "identity_refused":
    case "key_exchange_classical":
    case "reset":
    case "ended":
    case "response_invalid":
    case "response_timeout":
    case "try_timeout":
      return true;
    default:
      return failure satisfies never;
  }
}

/**
 * Takes one outcome into account. `failed`: connection failures and 502, 503, 504; a 500 is the
 * application's own word and ejects nobody. `nowMs`: monotonic. True when the endpoint was ejected
 * by it.
 */
export function noteOutcome(
  endpoint: EndpointState,
  siblings: readonly EndpointState[],
  failed: boolean,
  nowMs: number,
): boolean {
  if (!failed) {
    endpoint.consecutiveFailures = 0;
    return false;
  }
  // What was under way when it was ejected is no news.
  if (endpoint.ejectedUntilMs > nowMs) return false;
  endpoint.consecutiveFailures += 1;
  if (endpoint.consecutiveFailures < consecutiveFailuresMax) return false;
  if (!mayEject(siblings, nowMs)) return false;
  const forgotten = Math.floor((nowMs - endpoint.ejectedUntilMs) / ejectionMemoryMs);
  const earlier = Math.max(0, endpoint.ejections - forgotten);
  endpoint.ejectedUntilMs = nowMs + Math.min(ejectionMaxMs, ejectionBaseMs * 2 ** earlier);
  endpoint.ejections = Math.min(earlier + 1, EJECTIONS_COUNTED_MAX);
  endpoint.consecutiveFailures = 0;
  return true;
}

/** Enough to reach the longest ejection; a longer count would only take longer to forget. */
const EJECTIONS_COUNTED_MAX = Math.ceil(Math.log2(ejectionMaxMs / ejectionBaseMs));

function mayEject(siblings: readonly EndpointState[], nowMs: number): boolean {
  let ejected = 0;
  for (let index = 0; index < siblings.length; index += 1) {
    if (siblings[index]!.ejectedUntilMs > nowMs) ejected += 1;
  }
  return (ejected + 1) * 2 <= siblings.length;
}
