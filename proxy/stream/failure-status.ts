// What a caller is told when no endpoint answered: total over the failures.
import type { LocalStatus } from "#/http/http1/local-reply.ts";
import type { UpstreamFailure } from "./transport.ts";

export function statusOfFailure(failure: UpstreamFailure): LocalStatus {
  switch (failure) {
    case "response_timeout":
    case "try_timeout":
    case "connect_timeout":
      return 504;
    case "reset":
    case "ended":
    case "response_invalid":
      return 502;
    case "request_invalid":
      return 400;
    case "connect_refused":
    case "connect_failed":
    case "tls_failed":
    case "identity_refused":
    case "identity_suspended":
    case "trust_domain_not_federated":
    case "key_exchange_classical":
    case "no_credentials":
    case "overflow":
      return 503;
    default:
      return failure satisfies never;
  }
}
