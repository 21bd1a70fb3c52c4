// What a call between sidecar and controller can end in. The words are those of gRPC statuses; which
// number stands for which is for grpc.ts and grpc-server/ to know.
import { MeshError } from "#/lib/errors.ts";
import { DiscoveryError } from "./discovery.ts";

export type RpcErrorCode =
  | "unauthenticated"
  | "permission_denied"
  | "invalid_argument"
  | "not_found"
  | "failed_precondition"
  | "resource_exhausted"
  | "deadline_exceeded"
  | "unavailable"
  | "unimplemented"
  | "cancelled"
  | "internal";

/**
 * Thrown by a server's handler, only `code` reaches the peer: the message is for the server's own
 * log. Received by a client, the message names the call and what the server answered.
 */
export class RpcError extends MeshError<RpcErrorCode> {}

/** What the peer is told, and no more. */
export const opaqueAnswers: Readonly<Record<RpcErrorCode, string>> = {
  unauthenticated: "Cannot serve: the caller proved no identity",
  permission_denied: "Cannot serve: the caller may not do this",
  invalid_argument: "Cannot serve: the message is not valid",
  not_found: "Cannot serve: there is no such thing",
  failed_precondition: "Cannot serve: this cannot be done now",
  resource_exhausted: "Cannot serve: a limit is reached",
  deadline_exceeded: "Cannot serve: it took too long",
  unavailable: "Cannot serve: try again, on another connection",
  unimplemented: "Cannot serve: there is no such method",
  cancelled: "Cannot serve: the call was cancelled",
  internal: "Cannot serve: internal fault",
};

/** The code that stands for anything a handler may throw. Total. */
export function rpcCodeOf(thrown: unknown): RpcErrorCode {
  if (thrown instanceof RpcError) return thrown.code;
  if (!(thrown instanceof DiscoveryError)) return "internal";
  return thrown.code === "limit_exceeded" ? "resource_exhausted" : "invalid_argument";
}
