// What a sidecar demands of whoever connects to its pod. Plain data: compiled by the controller,
// judged by the proxy.

/**
 * strict: only a verified mesh identity gets a byte to the application. permissive: plaintext passes,
 * too. disable: mutual TLS is not offered.
 */
export type MtlsMode = "strict" | "permissive" | "disable";

export interface ServerPolicy {
  readonly mode: MtlsMode;
  /** Ports of the pod whose mode differs from `mode`. */
  readonly ports: ReadonlyMap<number, MtlsMode>;
  /**
   * Whoever proves an identity has to have agreed on keys in a group that a quantum computer does not
   * break, and so does whom this pod calls. Plaintext is for `mode` to say.
   */
  readonly requiresPostQuantum: boolean;
  /** The object that decided, as "PeerAuthentication namespace/name", or "default". */
  readonly source: string;
}

/** The mode that holds on `port`. */
export function modeOfPort(policy: ServerPolicy, port: number): MtlsMode {
  return policy.ports.get(port) ?? policy.mode;
}
