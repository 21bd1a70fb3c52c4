// Least requests of two random choices (P2C): nearly as even as looking at all of them, and no herd.
// Ejected endpoints and the one that has just failed are passed over while another is left.
import type { EndpointState } from "./endpoint.ts";

/** A small fast source of chance (xorshift32); not for secrets. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 0x9e3779b9;
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % bound;
  }
}

/** The endpoint to try, or null when there is none. `avoid`: the one that failed last. */
export function pickEndpoint(
  endpoints: readonly EndpointState[],
  avoid: EndpointState | null,
  nowMs: number,
  chance: Chance,
): EndpointState | null {
  const count = endpoints.length;
  if (count === 0) return null;
  if (count === 1) return endpoints[0]!;
  const first = endpoints[chance.below(count)]!;
  const second = endpoints[chance.below(count)]!;
  const firstFit = fit(first, avoid, nowMs);
  const secondFit = fit(second, avoid, nowMs);
  if (firstFit && secondFit) return first.activeRequests <= second.activeRequests ? first : second;
  if (firstFit) return first;
  if (secondFit) return second;
  return leastLoaded(endpoints, avoid, nowMs);
}

function fit(endpoint: EndpointState, avoid: EndpointState | null, nowMs: number): boolean {
  return endpoint !== avoid && endpoint.ejectedUntilMs <= nowMs;
}

/** The slow way, when both choices were unfit: a fit one if any is left, else any but `avoid`. */
function leastLoaded(
  endpoints: readonly EndpointState[],
  avoid: EndpointState | null,
  nowMs: number,
): EndpointState {
  let best: EndpointState | null = null;
  let bestFit = false;
  for (const endpoint of endpoints) {
    if (endpoint === avoid) continue;
    const isFit = fit(endpoint, avoid, nowMs);
    const better =
      best === null || (isFit === bestFit && endpoint.activeRequests < best.activeRequests);
    if ((isFit && !bestFit) || (better && isFit === (bestFit || isFit))) {
      best = endpoint;
      bestFit = isFit;
    }
  }
  return best ?? endpoints[0]!;
}
