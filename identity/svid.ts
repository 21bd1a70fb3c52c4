// A workload's identity and what proves it. `readLeaf` runs at each handshake, after OpenSSL has
// verified the chain: OpenSSL knows the signature, we know whom a name may be.
import type { KeyObject } from "node:crypto";
import { guarded, readCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { IdentityError } from "./identity-error.ts";
import { leafIdentity, leafRules } from "./leaf-rules.ts";
import type { SpiffeId } from "./spiffe-id.ts";

export interface Svid {
  readonly id: SpiffeId;
  /** DER, leaf first, up to but without the root. */
  readonly chain: readonly Uint8Array[];
  readonly privateKey: KeyObject;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Lower-case hex. */
  readonly serial: string;
  /** Position in the issuer's log; null when it is not known. */
  readonly logIndex: number | null;
}

export interface LeafFacts {
  readonly id: SpiffeId;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Lower-case hex. */
  readonly serial: string;
  /** DER of SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
}

/** The facts of a leaf; throws IdentityError unless it is an X.509-SVID by every rule. */
export function readLeaf(der: Uint8Array): LeafFacts {
  return leafFacts(readCertificate(der));
}

/** As readLeaf, for a certificate that was taken apart before. */
export function leafFacts(certificate: Certificate): LeafFacts {
  return guarded("certificate_malformed", "certificate", () => {
    for (const { code, demand, fault } of leafRules) {
      const state = fault(certificate);
      if (state === null) continue;
      throw new IdentityError(
        code,
        `Cannot accept certificate ${certificate.serial} as an identity: ${state}`,
        { next: `Use a certificate in which ${demand}` },
      );
    }
    const { notBefore, notAfter, serial, publicKey } = certificate;
    const id = leafIdentity(certificate);
    return { id, notBefore, notAfter, serial, publicKey: publicKey.der };
  });
}
