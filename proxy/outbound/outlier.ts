// Outlier ejection: an endpoint that keeps failing gets no new requests for a while. Passive (seen in
// live traffic alone), bounded (never more than half of a cluster), longer each time it recurs.
import type { EndpointState } from "./endpoint.ts";

export const consecutiveFailuresMax = 5;
export const ejectionBaseMs = 10_000;
export const ejectionMaxMs = 300_000;

/**
 * Takes one outcome into account. `failed`: connection failures and 502, 503, 504; a 500 is the
 * application's own word and ejects nobody. True when the endpoint was ejected by it.
 */
export function noteOutcome(
  endpoint: EndpointState,
  siblings: readonly EndpointState[],
  failed: boolean,
  nowMs: number,
): boolean {
  if (!failed) {
    endpoint.consecutiveFailures = 0;
    if (endpoint.ejections > 0 && endpoint.ejectedUntilMs < nowMs) endpoint.ejections -= 1;
    return false;
  }
  endpoint.consecutiveFailures += 1;
  if (endpoint.consecutiveFailures < consecutiveFailuresMax || endpoint.ejectedUntilMs > nowMs) {
    return false;
  }
  let ejected = 0;
  for (const sibling of siblings) if (sibling.ejectedUntilMs > nowMs) ejected += 1;
  if ((ejected + 1) * 2 > siblings.length) return false;
  endpoint.ejectedUntilMs =
    nowMs + Math.min(ejectionMaxMs, ejectionBaseMs * 2 ** Math.min(endpoint.ejections, 10));
  endpoint.ejections += 1;
  endpoint.consecutiveFailures = 0;
  return true;
}
