// Federations as `signet federation` writes them, and as the controllers tell of them. Pure.
import { judgeFederation } from "#/api/federation.ts";
import type { FederationSpec } from "#/api/federation.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { MeshAccessError } from "../mesh.ts";
import type { KubernetesObject } from "../mesh.ts";

export const federationKind = "FederatedTrustDomain";

/** Of one controller. */
export interface Federation {
  /** The controller's pod. */
  readonly pod: string;
  /** Of the object. */
  readonly name: string;
  readonly trustDomain: string;
  readonly url: string;
  readonly profile: string;
  readonly endpointId: string | null;
  readonly sequence: number | null;
  readonly refreshHintS: number | null;
  /** ISO 8601; null: never. */
  readonly fetchedAt: string | null;
  readonly fault: { readonly code: string; readonly message: string } | null;
  readonly roots: readonly { readonly fingerprint: string; readonly notAfter: string }[];
  readonly tokenKeys: readonly string[];
  /** "namespace/name" of pods whose sidecar has it. */
  readonly told: readonly string[];
}

/** The answers of /v1/federation, by trust domain. Throws MeshAccessError for what is none. */
export function readFederations(answers: readonly unknown[]): ReadonlyMap<string, Federation[]> {
  const all = answers.flatMap((answer) => {
    const { pod, federations } = (answer ?? {}) as {
      readonly pod?: string;
      readonly federations?: readonly Federation[];
    };
    if (typeof pod !== "string" || !Array.isArray(federations)) throw unreadable();
    return (federations as readonly Federation[]).map((each) => Object.assign({}, each, { pod }));
  });
  return Map.groupBy(all, ({ trustDomain }) => trustDomain);
}

/** Whether a bundle is had, was had once, or never; of the controller that has it worst. */
export type BundleState = "fetched" | "first bundle" | "stale" | "missing";

export function bundleState({ roots, fetchedAt, fault }: Federation): BundleState {
  if (roots.length === 0) return "missing";
  if (fault !== null) return "stale";
  return fetchedAt === null ? "first bundle" : "fetched";
}

/** When the root that lasts longest ends, milliseconds since the Unix epoch; null without one. */
export function lastEnd({ roots }: Federation): number | null {
  const ends = roots.map(({ notAfter }) => Date.parse(notAfter));
  return ends.length === 0 ? null : Math.max(...ends);
}

export interface Wish {
  readonly trustDomain: string;
  readonly url: string;
  readonly endpointId: string | null;
  /** JSON. */
  readonly bundle: string | null;
}

/** The object that federates. Throws MeshAccessError for what a controller would refuse. */
export function federationOf(wish: Wish, own: string): KubernetesObject {
  const { trustDomain, url, endpointId, bundle } = wish;
  const spec: FederationSpec = {
    trustDomain,
    bundleEndpointURL: url,
    bundleEndpointProfile:
      endpointId === null
        ? { type: "https_web" }
        : { type: "https_spiffe", endpointSPIFFEID: endpointId },
    ...(bundle === null ? {} : { trustDomainBundle: bundle }),
  };
  const verdict = judgeFederation(spec, parseTrustDomain(own));
  if (verdict.kind === "refused") {
    throw new MeshAccessError("failed", `Cannot federate with "${trustDomain}": ${verdict.fault}`, {
      next: "See: signet federation add --help",
    });
  }
  return {
    apiVersion: "signet.dev/v1alpha1",
    kind: federationKind,
    metadata: {
      name: trustDomain.replaceAll("_", "-"),
      labels: { "app.kubernetes.io/part-of": "signet" },
    },
    spec,
  };
}

/** The objects that federate with it. */
export function objectsOf(
  objects: readonly KubernetesObject[],
  trustDomain: string,
): readonly KubernetesObject[] {
  return objects.filter(({ spec }) => {
    return (spec as { readonly trustDomain?: unknown } | undefined)?.trustDomain === trustDomain;
  });
}

export function unreadable(): MeshAccessError {
  const state = "Cannot read what the controllers say of federation";
  return new MeshAccessError("unreadable", state, {
    next: "Command line and mesh may be of different versions: compare with signet version",
  });
}
