// Who issues in the suite `ca`, and how each is set up for a work.
import { randomBytes } from "node:crypto";
import { createIntermediate, createRoot } from "#/ca/authority-certificate.ts";
import { checkIssued } from "#/ca/issued-check.ts";
import { IssuerSource } from "#/ca/issuer.ts";
import { checkRequest } from "#/ca/request-check.ts";
import { serialBytes, signLeaf } from "#/ca/signer.ts";
import { leafTemplate, lifetimeDefaultS } from "#/ca/template.ts";
import { readCsr } from "#/identity/csr.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { callController } from "./controller-issuer.ts";
import { inFlight } from "./issue-load.ts";
import { identities } from "./layout.ts";
import type { Issuer, IssuerContext } from "./issuer.ts";
import { makeLibraryIssuer } from "./peers/x509.ts";
import { makeRequests } from "./requests.ts";
import { saturate } from "./saturate.ts";

type MakeIssuer = (context: IssuerContext) => Promise<Issuer>;

export const issueWorks: Readonly<Record<string, Readonly<Record<string, MakeIssuer>>>> = {
  "issue-core": { signet: ownIssuer, "peculiar-x509": libraryIssuer },
  "issue-request": { signet: (context) => callController(context, "open") },
  "issue-connect": { signet: (context) => callController(context, "fresh") },
};

async function libraryIssuer({ now }: IssuerContext): Promise<Issuer> {
  const requests = makeRequests();
  const issuer = await makeLibraryIssuer(now);
  return inProcess("peculiar-x509", (index) => issuer.issue(requests[index % requests.length]!));
}

/** What the CA does between a proven identity and the ledger: each request anew, nothing kept. */
async function ownIssuer({ now }: IssuerContext): Promise<Issuer> {
  const trustDomain = parseTrustDomain(identities.trustDomain.slice("spiffe://".length, -1));
  const id = parseSpiffeId(identities.server);
  const life = { trustDomain, notBefore: now() - 60_000, notAfter: now() + 86_400_000 };
  const root = await createRoot({ ...life, name: "signet bench root" });
  const intermediate = await createIntermediate(root, { ...life, name: "signet bench" });
  const source = await IssuerSource.start({
    trustDomain,
    intermediate,
    roots: [root.certificate],
    clock: systemClock,
    randomBytes,
    random: () => 0.5,
    log: silentLog,
  });
  const requests = makeRequests();
  const issue = async (index: number): Promise<readonly Uint8Array[]> => {
    const csr = readCsr(requests[index % requests.length]!);
    checkRequest(csr, id);
    const issuer = source.current();
    const request = { id, dnsNames: [], publicKey: csr.publicKey, lifetimeS: 0, lifetimeDefaultS };
    const template = leafTemplate({ ...request, now: now(), issuer });
    const leaf = signLeaf(template, issuer, randomBytes(serialBytes));
    checkIssued(leaf, template, issuer);
    return [leaf, ...issuer.chain];
  };
  return inProcess("signet", issue, () => source.stop());
}

function inProcess(
  subject: string,
  issue: (index: number) => Promise<unknown>,
  stop: () => void = () => undefined,
): Issuer {
  return {
    subject,
    issue: (calls) => saturate(calls, inFlight, issue),
    [Symbol.asyncDispose]: async () => stop(),
  };
}
