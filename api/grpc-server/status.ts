// How a call ended, as gRPC says it in trailers: a number, and a sentence in printable ASCII. Pure.
import type { RpcErrorCode } from "../rpc-error.ts";

/** Of a call that went well. */
export const STATUS_OK = 0;

/** Total: a new code does not compile until it has its number. */
const statuses: Readonly<Record<RpcErrorCode, number>> = {
  cancelled: 1,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
};

export function statusOf(code: RpcErrorCode): number {
  return statuses[code];
}

/** `text` as grpc-message carries it: what is not printable ASCII as percent and the hex of its UTF-8. */
export function messageText(text: string): string {
  return text.replaceAll(/[^ -$&-~]+/g, (odd) =>
    Buffer.from(odd)
      .toString("hex")
      .replaceAll(/../g, (byte) => `%${byte.toUpperCase()}`),
  );
}
