// The TLS parameters of both ends of the controller's API, in one place so that they agree.
import { constants } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import { toPem } from "#/identity/bundle.ts";
import type { Svid } from "#/identity/svid.ts";

/**
 * TLS 1.3 alone, our own roots alone, and no tickets: a resumed session would skip the certificate
 * and outlive it (attack case 15). `svid` is null for a client that has none yet.
 */
export function contextOptions(
  svid: Svid | null,
  roots: readonly Uint8Array[],
): SecureContextOptions {
  return {
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
    ca: roots.map((root) => toPem(root)),
    ...(svid === null ? {} : ownCertificate(svid)),
  };
}

function ownCertificate(svid: Svid): SecureContextOptions {
  return {
    key: svid.privateKey.export({ type: "pkcs8", format: "pem" }),
    cert: svid.chain.map((der) => toPem(der)).join(""),
  };
}
