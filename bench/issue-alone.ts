// One who issues without a network, in a process of its own: what another subject leaves on the heap is not
// collected on its account. Answers each number of calls from its parent with what they took.
// node issue-alone.ts SUBJECT FROM
import { fork } from "node:child_process";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { createIntermediate, createRoot } from "#/ca/authority-certificate.ts";
import { checkIssued } from "#/ca/issued-check.ts";
import { IssuerSource } from "#/ca/issuer.ts";
import { checkBinding, checkRequest } from "#/ca/request-check.ts";
import { serialBytes, signLeaf } from "#/ca/signer.ts";
import { leafTemplate, lifetimeDefaultS } from "#/ca/template.ts";
import { readCsr } from "#/identity/csr.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { inFlight } from "./issue-load.ts";
import type { Issuer } from "./issuer.ts";
import { identities } from "./layout.ts";
import { makeLibraryIssuer } from "./peers/x509.ts";
import { makeRequests } from "./requests.ts";
import { saturate } from "./saturate.ts";
import type { Saturated } from "./saturate.ts";

/** What comes in where a work begins: a CSR whose key has to be proven, or a key that was. */
export type From = "csr" | "key";

type Issue = (index: number) => Promise<unknown>;

const makers: Readonly<Record<string, (from: From) => Promise<Issue>>> = {
  signet: ownIssue,
  "peculiar-x509": libraryIssue,
};

/** Starts `subject` in a process of its own. Rejects when it ends. */
export async function issueAlone(subject: string, from: From): Promise<Issuer> {
  const child = fork(import.meta.filename, [subject, from], { execArgv: [] });
  const ended = once(child, "exit").then(([code]: unknown[]): never => {
    throw new Error(`Cannot measure "${subject}": it ended with ${String(code)}`);
  });
  ended.catch(() => undefined);
  return {
    subject,
    async issue(calls) {
      child.send(calls);
      const [result] = (await Promise.race([once(child, "message"), ended])) as [Saturated];
      return result;
    },
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await ended.catch(() => undefined);
    },
  };
}

async function libraryIssue(from: From): Promise<Issue> {
  const requests = makeRequests();
  const issuer = await makeLibraryIssuer(() => Date.now());
  if (from === "csr") return (index) => issuer.issue(requests[index % requests.length]!);
  const keys = requests.map((csr) => readCsr(csr).publicKey);
  return (index) => issuer.certify(keys[index % keys.length]!);
}

/** What the CA does between a proven identity and the ledger: each request anew, nothing kept. */
async function ownIssue(from: From): Promise<Issue> {
  const now = (): number => Date.now();
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
  // As long as a pod's.
  const token = "t".repeat(1_200);
  const requests = makeRequests({ token });
  const keys = requests.map((csr) => readCsr(csr).publicKey);
  const certify = (publicKey: Uint8Array): readonly Uint8Array[] => {
    const issuer = source.current();
    const request = { id, dnsNames: [], publicKey, lifetimeS: 0, lifetimeDefaultS };
    const template = leafTemplate({ ...request, now: now(), issuer });
    const leaf = signLeaf(template, issuer, randomBytes(serialBytes));
    checkIssued(leaf, template, issuer);
    return [leaf, ...issuer.chain];
  };
  if (from === "key") return async (index) => certify(keys[index % keys.length]!);
  return async (index) => {
    const csr = readCsr(requests[index % requests.length]!);
    checkBinding(csr, token);
    checkRequest(csr, id);
    return certify(csr.publicKey);
  };
}

if (import.meta.main) {
  const [subject = "", from] = process.argv.slice(2);
  const issue = await makers[subject]!(from === "csr" ? "csr" : "key");
  process.on("message", (calls: number) => {
    void saturate(calls, inFlight, issue).then((result) => process.send!(result));
  });
  process.on("disconnect", () => process.exit());
}
