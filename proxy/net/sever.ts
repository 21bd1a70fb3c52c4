// Breaks a live connection off for a reason of the mesh's own. Whoever carries streams on it hears of an
// end as of any other, and can ask why.
import type { Socket } from "node:net";
import { reset } from "./reset.ts";

/**
 * identity_suspended: nobody speaks with one of its ends any more. trust_domain_not_federated: nor with
 * anybody of that trust domain. certificate_ended: of either end.
 * key_exchange_classical: its keys were agreed on in a way that is not taken any more.
 */
export type SeverReason =
  | "identity_suspended"
  | "trust_domain_not_federated"
  | "certificate_ended"
  | "key_exchange_classical";

const reasons = new WeakMap<Socket, SeverReason>();

/** Closes with RST, at once; what was not sent yet is lost. */
export function sever(socket: Socket, reason: SeverReason): void {
  reasons.set(socket, reason);
  reset(socket);
}

/** null: nobody of us broke it off. */
export function severedFor(socket: Socket): SeverReason | null {
  return reasons.get(socket) ?? null;
}
