// Whether a failed try is made again. Only what is safe to repeat: a request that never reached an
// endpoint, or an idempotent one (RFC 9110 section 9.2.2) whose connection broke before a response,
// whose own time ran out, or whose status the route names. Pure.
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
  /** Milliseconds until the whole request must be answered; absent: no such limit. */
  readonly remainingMs?: number;
}

/** What made another try necessary. */
export type RetryReason = UpstreamFailure | `status_${number}`;

export type RetryRefusal =
  | "not_retriable"
  | "attempts_exhausted"
  | "not_idempotent"
  | "body_too_large"
  | "deadline";

export type RetryVerdict =
  | { readonly kind: "retry"; readonly reason: RetryReason; readonly afterMs: number }
  | { readonly kind: "stop"; readonly reason: RetryRefusal };

const stops = {
  not_retriable: { kind: "stop", reason: "not_retriable" },
  attempts_exhausted: { kind: "stop", reason: "attempts_exhausted" },
  not_idempotent: { kind: "stop", reason: "not_idempotent" },
  body_too_large: { kind: "stop", reason: "body_too_large" },
  deadline: { kind: "stop", reason: "deadline" },
} as const satisfies Record<RetryRefusal, RetryVerdict>;

/** `random` in [0, 1) spreads the back-off. */
export function decideRetry(policy: RetryPolicy, facts: TryFacts, random: number): RetryVerdict {
  const { failure, status } = facts;
  if (!isRetriable(policy, failure, status)) return stops.not_retriable;
  if (facts.sent && !facts.idempotent) return stops.not_idempotent;
  if (!facts.replayable) return stops.body_too_large;
  if (facts.repeats >= policy.attempts) return stops.attempts_exhausted;
  const { backoffMs } = policy;
  const backoff = { baseMs: backoffMs, maxMs: Math.max(backoffMs, backoffMaxMs) };
  // The first repeat after a connection failure goes at once: another endpoint is likely well.
  const soon = !facts.sent && facts.repeats === 0;
  const afterMs = soon ? 0 : backoffDelayMs(backoff, facts.repeats, random);
  // What was answered is worth more than a timeout while waiting for the next try.
  if (facts.remainingMs !== undefined && afterMs >= facts.remainingMs) return stops.deadline;
  return { kind: "retry", reason: failure ?? `status_${status}`, afterMs };
}

function isRetriable(
  policy: RetryPolicy,
  failure: UpstreamFailure | null,
  status: number,
): boolean {
  switch (failure) {
    case null:
      return policy.codes.includes(status);
    case "connect_refused":
    case "connect_timeout":
    case "connect_failed":
    case "tls_failed":
    case "identity_refused":
    case "identity_suspended":
    case "trust_domain_not_federated":
    case "key_exchange_classical":
    case "reset":
    case "ended":
    case "try_timeout":
      return true;
    // An answer that cannot be read is an answer: the route decides, as for the 502 that it becomes.
    case "response_invalid":
      return policy.codes.includes(502);
    // Ours, not the endpoint's: the next try would meet the same. Or the time is over in any case.
    case "overflow":
    case "no_credentials":
    case "response_timeout":
    case "request_invalid":
      return false;
    default:
      return failure satisfies never;
  }
}
