// What `openssl x509 -serial -dates -fingerprint -ext subjectAltName` prints, as values. Pure.

export interface OpensslCertificate {
  /** Lower-case hex without leading zeros in pairs, as ours. */
  readonly serial: string;
  /** Milliseconds since the Unix epoch; NaN when it was not printed. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Lower-case hex with colons. */
  readonly fingerprint: string;
  readonly uri: string;
}

export function readOpensslText(text: string): OpensslCertificate {
  const after = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? "";
  return {
    serial: after(/^serial=([0-9A-F]+)$/m).toLowerCase(),
    notBefore: Date.parse(after(/^notBefore=(.*)$/m)),
    notAfter: Date.parse(after(/^notAfter=(.*)$/m)),
    fingerprint: after(/^sha256 Fingerprint=([0-9A-F:]+)$/im).toLowerCase(),
    uri: after(/^\s*URI:(\S+?),?$/m),
  };
}
