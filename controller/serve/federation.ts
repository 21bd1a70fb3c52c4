// Federation as the read API shows it: with whom, by which bundle, what is wrong with it, and which sidecars
// have it; and the mesh's own bundle, for whoever federates with it.
import type { AdminRoute } from "#/lib/admin.ts";
import { json } from "#/lib/admin.ts";
import { fingerprint } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import type { FederationKeeper, FederationView } from "../federation/keeper.ts";
import type { Mesh } from "../index/mesh.ts";
import { unknownParameter } from "./answers.ts";
import type { DiscoveryHub } from "./discovery.ts";

export interface FederationRoutesOptions {
  readonly keeper: Pick<FederationKeeper, "views">;
  readonly mesh: Pick<Mesh, "federations" | "trustDomain">;
  readonly hub: Pick<DiscoveryHub, "holders">;
  /** The mesh's own bundle, JSON. */
  readonly document: () => string;
  /** Of this replica. */
  readonly pod: string;
}

/** Parameters are answered with 400. */
export function federationRoutes(
  options: FederationRoutesOptions,
): Readonly<Record<string, AdminRoute>> {
  const { document } = options;
  return {
    "/v1/federation": (url) => unknownParameter(url) ?? json(view(options)),
    "/v1/bundle": (url) =>
      unknownParameter(url) ?? { status: 200, contentType: "application/json", body: document() },
  };
}

function view({ keeper, mesh, hub, pod }: FederationRoutesOptions): object {
  const views = keeper.views();
  return {
    pod,
    trustDomain: mesh.trustDomain,
    federations: views.map((each) => {
      const { trustDomain } = each.federation;
      const told = hub.holders({ kind: "federatedBundle", name: trustDomain });
      return federationView(each, mesh.federations.nameOf(trustDomain), told);
    }),
  };
}

function federationView(
  { federation, bundle, fetchedAt, nextAt, fault }: FederationView,
  name: string | null,
  told: readonly string[],
): object {
  const { trustDomain, url, profile } = federation;
  return {
    name,
    told,
    trustDomain,
    url,
    profile: profile.kind,
    endpointId: profile.kind === "https_spiffe" ? profile.endpointId : null,
    sequence: bundle?.sequence ?? null,
    refreshHintS: bundle?.refreshHintS ?? null,
    fetchedAt: timeOf(fetchedAt),
    nextAt: timeOf(nextAt),
    fault: fault === null ? null : { code: fault.code, message: fault.message },
    roots: (bundle?.roots ?? []).map((root) => {
      const { notBefore, notAfter } = readCertificate(root);
      return {
        fingerprint: fingerprint(root),
        notBefore: timeOf(notBefore),
        notAfter: timeOf(notAfter),
      };
    }),
    tokenKeys: (bundle?.jwtAuthorities ?? []).map(({ keyId }) => keyId),
  };
}

function timeOf(atMs: number | null): string | null {
  return atMs === null || atMs === 0 ? null : new Date(atMs).toISOString();
}
