// What a federation with another trust domain has to say, told once for whoever writes it down, checks it or
// acts on it: whose bundle it is, where it is to be had, and who is believed there. Pure.
import { parsePem } from "#/identity/bundle.ts";
import { readForeignBundle } from "#/identity/foreign-bundle.ts";
import type { ForeignBundle } from "#/identity/foreign-bundle.ts";
import { parseSpiffeId, parseTrustDomain, trustDomainOf } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";

/** As it is written down (FederatedTrustDomain); names are those of SPIRE's ClusterFederatedTrustDomain. */
export interface FederationSpec {
  readonly trustDomain: string;
  readonly bundleEndpointURL: string;
  readonly bundleEndpointProfile: {
    readonly type: string;
    /** Of https_spiffe: whom the endpoint has to prove to be. */
    readonly endpointSPIFFEID?: string | undefined;
    /** Of https_web: PEM of the roots that its certificate has to hang from, instead of the public ones. */
    readonly caBundle?: string | undefined;
  };
  /** The first bundle, JSON: what the endpoint is believed by (https_spiffe) until it was asked. */
  readonly trustDomainBundle?: string | undefined;
}

export type EndpointProfile =
  | { readonly kind: "https_spiffe"; readonly endpointId: SpiffeId }
  /** `roots`: PEM; null: those that browsers trust. */
  | { readonly kind: "https_web"; readonly roots: string | null };

export interface Federation {
  readonly trustDomain: TrustDomain;
  /** https, without user or fragment. */
  readonly url: string;
  readonly profile: EndpointProfile;
  readonly firstBundle: ForeignBundle | null;
}

export type FederationVerdict =
  | { readonly kind: "accepted"; readonly federation: Federation }
  | { readonly kind: "refused"; readonly fault: string };

const urlCharactersMax = 2048;

/** `own`: the mesh's trust domain; null: not known here. */
export function judgeFederation(spec: FederationSpec, own: TrustDomain | null): FederationVerdict {
  try {
    const trustDomain = parseTrustDomain(spec.trustDomain);
    if (trustDomain === own) {
      return refused(`"${trustDomain}" is the mesh's own trust domain`);
    }
    const { trustDomainBundle: text } = spec;
    const firstBundle = text === undefined ? null : readForeignBundle(text, trustDomain);
    const fault = urlFault(spec.bundleEndpointURL);
    if (fault !== null) return refused(fault);
    const profile = profileOf(spec, trustDomain, firstBundle);
    if (typeof profile === "string") return refused(profile);
    const url = spec.bundleEndpointURL;
    return { kind: "accepted", federation: { trustDomain, url, profile, firstBundle } };
  } catch (thrown) {
    return refused(messageOf(thrown));
  }
}

/** Or what is wrong with it. Throws IdentityError. */
function profileOf(
  { bundleEndpointProfile: profile }: FederationSpec,
  trustDomain: TrustDomain,
  firstBundle: ForeignBundle | null,
): EndpointProfile | string {
  const { type, endpointSPIFFEID, caBundle } = profile;
  switch (type) {
    case "https_spiffe": {
      if (endpointSPIFFEID === undefined) return "https_spiffe needs endpointSPIFFEID";
      if (caBundle !== undefined) return "caBundle goes with https_web";
      const endpointId = parseSpiffeId(endpointSPIFFEID);
      if (trustDomainOf(endpointId) !== trustDomain) {
        return `"${endpointId}" is not of trust domain "${trustDomain}"`;
      }
      if (firstBundle === null || firstBundle.roots.length === 0) {
        return "https_spiffe needs a first bundle with a root (trustDomainBundle): nothing else proves the endpoint";
      }
      return { kind: "https_spiffe", endpointId };
    }
    case "https_web":
      if (endpointSPIFFEID !== undefined) return "endpointSPIFFEID goes with https_spiffe";
      if (caBundle !== undefined) parsePem(caBundle);
      return { kind: "https_web", roots: caBundle ?? null };
    default:
      return `profile "${type.slice(0, 80)}" is neither https_spiffe nor https_web`;
  }
}

function urlFault(text: string): string | null {
  const shown = text.slice(0, 128);
  const url = URL.canParse(text) && text.length <= urlCharactersMax ? new URL(text) : null;
  if (url === null) return `"${shown}" is no URL`;
  if (url.protocol !== "https:") return `"${shown}" is not https`;
  if (url.username !== "" || url.password !== "") return `"${shown}" names a user`;
  return url.hash === "" ? null : `"${shown}" has a fragment`;
}

function refused(fault: string): FederationVerdict {
  return { kind: "refused", fault };
}
