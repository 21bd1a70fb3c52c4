// Whether a failed try is made again. Only what is safe to repeat: a request that never reached an
// endpoint, or an idempotent one (RFC 9110 section 9.2.2) whose connection broke before a response
// or whose status the route names. Pure.
import type { RetryPolicy } from "#/api/discovery.ts";
import { backoffDelayMs } from "#/lib/backoff.ts";
import type { UpstreamFailure } from "../stream/transport.ts";

/** What holds without a route's own policy: two repeats of what is always safe. */
export const defaultRetryPolicy: RetryPolicy = {
  codes: [],
  attempts: 2,
  backoffMs: 25,
  perTryTimeoutMs: 0,
};

/** Back-off doubles up to this. */
export const backoffMaxMs = 250;

export interface TryFacts {
  /** Repeats made already. */
  readonly repeats: number;
  readonly idempotent: boolean;
  /** A byte of the request may have reached an endpoint. */
  readonly sent: boolean;
  /** All bytes of the request are still here. */
  readonly replayable: boolean;
  /** Status of the response, or 0 when there was none. */
  readonly status: number;
  readonly failure: UpstreamFailure | null;
}

export type RetryRefusal =
  | "not_retriable"
  | "attempts_exhausted"
  | "not_idempotent"
  | "body_too_large";

export type RetryVerdict =
  | { readonly kind: "retry"; readonly reason: string; readonly afterMs: number }
  | { readonly kind: "stop"; readonly reason: RetryRefusal };

const stops = {
  not_retriable: { kind: "stop", reason: "not_retriable" },
  attempts_exhausted: { kind: "stop", reason: "attempts_exhausted" },
  not_idempotent: { kind: "stop", reason: "not_idempotent" },
  body_too_large: { kind: "stop", reason: "body_too_large" },
} as const satisfies Record<RetryRefusal, RetryVerdict>;

/** `random` in [0, 1) spreads the back-off. */
export function decideRetry(policy: RetryPolicy, facts: TryFacts, random: number): RetryVerdict {
  const { failure, status } = facts;
  if (failure === null && !policy.codes.includes(status)) return stops.not_retriable;
  if (failure === "overflow" || failure === "no_credentials" || failure === "response_timeout") {
    return stops.not_retriable;
  }
  if (facts.sent && !facts.idempotent) return stops.not_idempotent;
  if (!facts.replayable) return stops.body_too_large;
  if (facts.repeats >= policy.attempts) return stops.attempts_exhausted;
  const { backoffMs } = policy;
  const backoff = { baseMs: backoffMs, maxMs: Math.max(backoffMs, backoffMaxMs) };
  // The first repeat after a connection failure goes at once: another endpoint is likely well.
  const soon = !facts.sent && facts.repeats === 0;
  const afterMs = soon ? 0 : backoffDelayMs(backoff, facts.repeats, random);
  return { kind: "retry", reason: failure ?? `status_${status}`, afterMs };
}
