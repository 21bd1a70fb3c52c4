// The CA's answer to a request for a serving certificate, believed no more than a stranger's: our key,
// our name, and a chain that ends at a pinned root. Pure but for node:crypto.
import { X509Certificate, createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { IssueResponse } from "#/api/identity.ts";
import { MeshError } from "#/lib/errors.ts";
import { receiptFault } from "#/transparency/receipt.ts";

class ServingAnswerError extends MeshError<"answer_invalid"> {}

/** Throws MeshError `answer_invalid` unless what was issued is for us, and in a log. */
export function checkServingAnswer(
  { certificateChain: chain, receipt }: IssueResponse,
  privateKey: KeyObject,
  roots: readonly Uint8Array[],
  dnsName: string,
): void {
  const certificates = chain.map((der) => new X509Certificate(der));
  const [leaf] = certificates;
  if (leaf === undefined) throw invalid("it has no certificate");
  const own = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  if (!leaf.publicKey.export({ type: "spki", format: "der" }).equals(own)) {
    throw invalid("it is of another key");
  }
  if (leaf.checkHost(dnsName) === undefined) throw invalid(`it is not for "${dnsName}"`);
  const anchors = roots.map((der) => new X509Certificate(der));
  for (const [at, certificate] of certificates.entries()) {
    const above = at + 1 < certificates.length ? [certificates[at + 1]!] : anchors;
    const isSigned = above.some(
      (issuer) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey),
    );
    if (!isSigned) throw invalid("its chain does not end at a pinned root");
  }
  const unlogged = receiptFault(receipt, chain);
  if (unlogged !== null) throw invalid(`it is in no log: ${unlogged}`);
}

function invalid(state: string): ServingAnswerError {
  return new ServingAnswerError("answer_invalid", `Cannot use what was issued: ${state}`);
}
