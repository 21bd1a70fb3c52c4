// What a sidecar demands of whoever connects to its pod. Plain data: compiled by the controller,
// judged by the proxy.
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import {
  parseSpiffeId,
  parseTrustDomain,
  trustDomainId,
  trustDomainOf,
} from "#/identity/spiffe-id.ts";

/**
 * strict: only a verified mesh identity gets a byte to the application. permissive: plaintext passes,
 * too. disable: mutual TLS is not offered.
 */
export type MtlsMode = "strict" | "permissive" | "disable";

/** SPIFFE IDs, and IDs of whole trust domains ("spiffe://other.mesh"). Empty: nobody. */
export type ForeignCallers = ReadonlySet<string>;

export interface ServerPolicy {
  readonly mode: MtlsMode;
  /** Ports of the pod whose mode differs from `mode`. */
  readonly ports: ReadonlyMap<number, MtlsMode>;
  /**
   * Whoever proves an identity has to have agreed on keys in a group that a quantum computer does not
   * break, and so does whom this pod calls. Plaintext is for `mode` to say.
   */
  readonly requiresPostQuantum: boolean;
  /** Who of federated trust domains may call, beside everybody of the own one. */
  readonly foreignCallers: ForeignCallers;
  /** The object that decided, as "PeerAuthentication namespace/name", or "default". */
  readonly source: string;
}

/** The mode that holds on `port`. */
export function modeOfPort(policy: ServerPolicy, port: number): MtlsMode {
  return policy.ports.get(port) ?? policy.mode;
}

/** Whether the identity, which is of another trust domain, is named: by itself, or with all of its own. */
export function namesCaller(callers: ForeignCallers, identity: SpiffeId): boolean {
  return callers.has(identity) || callers.has(trustDomainId(trustDomainOf(identity)));
}

/** Throws IdentityError unless `text` is a SPIFFE ID, or the ID of a trust domain. */
export function checkForeignCaller(text: string): void {
  const trustDomain = /^spiffe:\/\/([^/]*)$/.exec(text)?.[1];
  if (trustDomain === undefined) parseSpiffeId(text);
  else parseTrustDomain(trustDomain);
}
