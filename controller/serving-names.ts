// The mesh's own services that are called by those who know no SPIFFE: the API server calls the injector's
// webhooks by DNS name. Only workloads of the mesh's own namespace stand here.
import { workloadId } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { meshNamespace } from "./index/policies.ts";

const injector = "signet-injector";

/** DNS names by the identity that may have a serving certificate of them. */
export function servingNames(trustDomain: TrustDomain): ReadonlyMap<SpiffeId, readonly string[]> {
  return new Map([
    [workloadId(trustDomain, meshNamespace, injector), [`${injector}.${meshNamespace}.svc`]],
  ]);
}
