// Least requests of two random choices (P2C): nearly as even as looking at all of them, and no herd.
// Ejected endpoints and the one that has just failed are passed over while another is left.
import type { EndpointState } from "./endpoint.ts";

/** A small fast source of chance (xorshift32); not for secrets. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 0x9e3779b9;
  }

  /** An integer in [0, bound); `bound` from 1 to 2^31. */
  below(bound: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return ((x >>> 0) * bound * TO_UNIT) | 0;
  }
}

const TO_UNIT = 2 ** -32;

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
  const start = chance.below(count);
  // Never the same one twice: two choices are two.
  const offset = 1 + chance.below(count - 1);
  const first = endpoints[start]!;
  const second = endpoints[(start + offset) % count]!;
  const firstFit = isFit(first, avoid, nowMs);
  const secondFit = isFit(second, avoid, nowMs);
  if (firstFit && secondFit) return lighter(first, second);
  if (firstFit) return first;
  if (secondFit) return second;
  const other = pickFit(endpoints, avoid, nowMs, chance);
  if (other !== null) return other;
  // Nobody is well: then ejection says nothing any more, and only the one that just failed is avoided.
  if (first === avoid) return second;
  return second === avoid ? first : lighter(first, second);
}

function isFit(endpoint: EndpointState, avoid: EndpointState | null, nowMs: number): boolean {
  return endpoint !== avoid && endpoint.ejectedUntilMs <= nowMs;
}

function lighter(first: EndpointState, second: EndpointState): EndpointState {
  return first.activeRequests <= second.activeRequests ? first : second;
}

/**
 * The slow way, when both choices were unfit: the same two choices among the fit ones alone. Taking
 * the next fit one instead would herd onto whoever stands behind a row of ejected ones.
 */
function pickFit(
  endpoints: readonly EndpointState[],
  avoid: EndpointState | null,
  nowMs: number,
  chance: Chance,
): EndpointState | null {
  let count = 0;
  for (let index = 0; index < endpoints.length; index += 1) {
    if (isFit(endpoints[index]!, avoid, nowMs)) count += 1;
  }
  if (count === 0) return null;
  const one = chance.below(count);
  const other = count === 1 ? one : (one + 1 + chance.below(count - 1)) % count;
  let found: EndpointState | null = null;
  let rank = -1;
  for (let index = 0; index < endpoints.length; index += 1) {
    const endpoint = endpoints[index]!;
    if (!isFit(endpoint, avoid, nowMs)) continue;
    rank += 1;
    if (rank !== one && rank !== other) continue;
    if (found !== null) return lighter(found, endpoint);
    found = endpoint;
  }
  return found;
}
