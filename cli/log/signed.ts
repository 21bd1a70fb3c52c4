// Whether a log's head is signed as it must be: by the log's own key, and by an issuer that leads to a root
// which the mesh trusts.
import { X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { parsePem } from "#/identity/bundle.ts";
import { messageOf } from "#/lib/errors.ts";
import { readCheckpoint } from "#/transparency/checkpoint.ts";
import { isSameDigest } from "#/transparency/hash.ts";
import { openNote, readVerifier } from "#/transparency/note.ts";
import { issuerSignerName } from "#/transparency/receipt.ts";
import type { Mesh } from "../mesh.ts";
import type { ToldHead } from "./answers.ts";

/** DER of what the mesh trusts, as it publishes that; none when it has not. */
export async function rootsOf(mesh: Pick<Mesh, "bundle">): Promise<readonly Uint8Array[]> {
  const pem = await mesh.bundle();
  return pem === null ? [] : parsePem(pem);
}

/** The log's name when all is well, else what is not. */
export type Signature =
  | { readonly isGood: true; readonly origin: string }
  | { readonly isGood: false; readonly fault: string };

/** `roots`: DER of what the mesh trusts; `now` in milliseconds since the Unix epoch. */
export function checkSigned(head: ToldHead, roots: readonly Uint8Array[], now: number): Signature {
  const bad = (fault: string): Signature => ({ isGood: false, fault });
  const { signed } = head;
  if (signed === null) return bad("its controller has no issuer that is valid now");
  try {
    const own = readVerifier(signed.key);
    const issuer = { name: issuerSignerName, key: vouchingKey(signed.issuer, roots, now) };
    const { text, signedBy } = openNote(signed.checkpoint, [own, issuer]);
    for (const { name } of [own, issuer]) {
      if (!signedBy.includes(name)) return bad(`"${name}" did not sign it`);
    }
    const { origin, size, root } = readCheckpoint(text);
    if (origin !== own.name) return bad(`it is signed for another log, "${origin}"`);
    const isSame = size === head.size && isSameDigest(root, head.root);
    return isSame ? { isGood: true, origin } : bad("what is signed is another head");
  } catch (thrown) {
    return bad(messageOf(thrown));
  }
}

/** Throws Error unless each certificate is the next one's, and the last a root's, all valid at `now`. */
function vouchingKey(
  chain: readonly Uint8Array[],
  roots: readonly Uint8Array[],
  now: number,
): KeyObject {
  const certificates = chain.map((der) => new X509Certificate(der));
  const anchors = roots.map((der) => new X509Certificate(der));
  for (const [at, one] of certificates.entries()) {
    const above = at + 1 < certificates.length ? [certificates[at + 1]!] : anchors;
    const isSigned = above.some((each) => one.checkIssued(each) && one.verify(each.publicKey));
    const isTimely = now >= one.validFromDate.getTime() && now < one.validToDate.getTime();
    if (!isSigned || !one.ca) throw new Error("its issuer does not lead to a root of the mesh");
    if (!isTimely) throw new Error("its issuer is not valid now");
  }
  const [issuer] = certificates;
  if (issuer === undefined) throw new Error("it has no issuer");
  return issuer.publicKey;
}
