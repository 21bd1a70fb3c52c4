// Which identities can be suspended, said once for whoever writes a suspension down, checks one or acts
// on it. Pure.
import { parseSpiffeId, partsOf } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";

/** The mesh's own workloads, of its own namespace: without them nobody could be told that it is over. */
const namespaceOfMesh = "signet-system";
const accountsOfMesh: ReadonlySet<string> = new Set(["signet-controller", "signet-injector"]);

export type SuspensionVerdict =
  | { readonly kind: "suspendable"; readonly id: SpiffeId }
  | { readonly kind: "refused"; readonly fault: string };

/** Reads the identity that a suspension names. */
export function judgeSuspension(identity: string): SuspensionVerdict {
  try {
    const id = parseSpiffeId(identity);
    if (!isOfMesh(id)) return { kind: "suspendable", id };
    const fault = `"${id}" is the mesh's own: without it nobody could be told of anything any more`;
    return { kind: "refused", fault };
  } catch (thrown) {
    return { kind: "refused", fault: messageOf(thrown) };
  }
}

/** In whatever trust domain: nobody's controller can be named. */
function isOfMesh(id: SpiffeId): boolean {
  try {
    const { namespace, serviceAccount } = partsOf(id);
    return namespace === namespaceOfMesh && accountsOfMesh.has(serviceAccount);
  } catch {
    return false;
  }
}
