// A certificate for a caller that speaks to an inbound proxy itself: ours certified by the controller as a
// sidecar's is, peers' as they were given theirs.
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { connectController } from "#/api/connect.ts";
import { parsePem, toPem } from "#/identity/bundle.ts";
import { createCsr } from "#/identity/csr.ts";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import type { MemberByKey, MemberOfMesh } from "./plan.ts";

/** PEM. */
export interface MemberMaterial {
  readonly cert: string;
  readonly key: string;
}

const controllerId = parseSpiffeId("spiffe://cluster.local/ns/signet-system/sa/signet-controller");
const issueTimeoutMs = 5000;

/** Throws what the controller answers. */
export async function materialOf(member: MemberByKey | MemberOfMesh): Promise<MemberMaterial> {
  if (member.kind === "key") return member;
  const { token } = member;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const connection = connectController({
    address: member.controller,
    roots: parsePem(readFileSync(member.bundle, "utf8")),
    svid: null,
    expectedIdentity: controllerId,
    clock: systemClock,
  });
  const request = { csr: createCsr(privateKey, { token }), token, lifetimeS: 0, serving: false };
  const { certificateChain } = await connection.issue(request, issueTimeoutMs);
  connection.close();
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  return { cert: certificateChain.map(toPem).join(""), key };
}
