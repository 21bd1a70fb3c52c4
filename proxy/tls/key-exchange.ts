// The groups in which two sidecars agree on keys, best first. Node tells a client which one it was, and a
// TLS 1.3 server nothing (getEphemeralKeyInfo is null there); so the sidecar that is called picks one of
// those its caller offers, and OpenSSL is given no other. What was picked is then what was used, or the
// handshake failed: a ClientHello that somebody changed on its way fits no Finished message.

/** ML-KEM-768 beside X25519: broken only by whoever breaks both (draft-ietf-tls-ecdhe-mlkem). */
export const hybridGroup = "X25519MLKEM768";
export const hybridGroupCode = 0x11ec;

/** Code point (RFC 8446 section 4.2.7), and the name by which OpenSSL and Node know it. */
const groups: readonly (readonly [code: number, name: string])[] = [
  [hybridGroupCode, hybridGroup],
  [0x001d, "X25519"],
  [0x0017, "prime256v1"],
  [0x0018, "secp384r1"],
];

/** The best that is offered; when none is, one that OpenSSL will refuse by itself. */
export function chooseGroup(offered: readonly number[]): string {
  return groups.find(([code]) => offered.includes(code))?.[1] ?? hybridGroup;
}

/** False also for a group that is not known. */
export function isPostQuantum(group: string): boolean {
  return group === hybridGroup;
}
