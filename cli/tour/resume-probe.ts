// Runs in a pod without a sidecar that has what a sidecar is given, token and trust bundle: has itself
// certified as any sidecar does, and tries to come back to another sidecar without showing the
// certificate. Prints one JSON object. The key and the certificate stay in this process.
//
//   node cli/tour/resume-probe.ts CONTROLLER TRUST_DOMAIN HOST PORT
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { connectController } from "#/api/connect.ts";
import { parsePem, toPem } from "#/identity/bundle.ts";
import { createCsr } from "#/identity/csr.ts";
import { parseTrustDomain, workloadId } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { tryOnDefaultServer, tryResumption } from "./resumption.ts";
import type { Certified } from "./resumption.ts";

const TOKEN_FILE = "/var/run/secrets/signet/token";
const BUNDLE_FILE = "/var/run/signet/trust/bundle.pem";
const ISSUE_DEADLINE_MS = 10_000;
const LIFETIME_S = 30;

try {
  process.stdout.write(`${JSON.stringify(await probe(process.argv.slice(2)))}\n`);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}

async function probe([controller = "", trustDomain = "", host = "", port = ""]: readonly string[]) {
  const certified = await certify(controller, trustDomain);
  const request = `GET /hello HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  const target = { host, port: Number(port), alpn: "signet-http/1.1", request };
  return {
    sidecar: await tryResumption(target, certified),
    defaultServer: await tryOnDefaultServer(certified),
  };
}

async function certify(address: string, trustDomain: string): Promise<Certified> {
  const roots = parsePem(readFileSync(BUNDLE_FILE, "utf8"));
  const domain = parseTrustDomain(trustDomain);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const connection = connectController({
    address,
    roots,
    svid: null,
    expectedIdentity: workloadId(domain, "signet-system", "signet-controller"),
    clock: systemClock,
  });
  try {
    const token = readFileSync(TOKEN_FILE, "utf8").trim();
    const csr = createCsr(privateKey, { token });
    const request = { csr, token, lifetimeS: LIFETIME_S, serving: false };
    const { certificateChain } = await connection.issue(request, ISSUE_DEADLINE_MS);
    return {
      key: privateKey.export({ type: "pkcs8", format: "pem" }),
      chain: certificateChain.map(toPem).join(""),
      roots: roots.map(toPem).join(""),
    };
  } finally {
    connection.close();
  }
}
