// step-ca on a core of its own, asked over its HTTPS API from another namespace, as callController asks our
// controller. Its authority is of the same kind: a root, and an intermediate that signs leaves.
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { createIntermediate, createRoot } from "#/ca/authority-certificate.ts";
import { writeAuthority } from "#/ca/authority-pem.ts";
import { toPem } from "#/identity/bundle.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { Issuer, IssuerContext } from "./issuer.ts";
import { layout, plainUid, proxyCore } from "./layout.ts";
import { awaitIssuer, issueOverNetwork } from "./load-issuer.ts";
import { makeNetwork } from "./netns.ts";
import { stepCaConfig } from "./peers/step-ca.ts";
import type { StepCaOptions } from "./peers/step-ca.ts";
import { stepCaProgram } from "./peers/step-ca-program.ts";
import { launch } from "./process.ts";
import type { StepPlan } from "./step-load.ts";

const port = 8443;
const lifeMs = 86_400_000;
const backdateMs = 60_000;

export async function callStepCa(
  { projectFolder, folder, now }: IssuerContext,
  database: StepCaOptions["database"],
): Promise<Issuer> {
  const program = await stepCaProgram(`${projectFolder}/.state/bench`);
  await using stack = new AsyncDisposableStack();
  const name = database === "none" ? "step-ca" : `step-ca-${database}`;
  const network = stack.use(makeNetwork(name));
  const own = `${folder}/${name}`;
  mkdirSync(own, { recursive: true });
  const root = await writeAuthorities(own, now());
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const host = layout.controller;
  const config = stepCaConfig(
    { path: own },
    { host, port, database, publicKey: publicKey.export({ format: "jwk" }) },
  );
  writeFileSync(`${own}/ca.json`, config);
  for (const file of ["", "/ca.json", "/intermediate.key"]) {
    chownSync(`${own}${file}`, plainUid, plainUid);
  }
  const answering = stack.use(
    launch({
      placement: { namespace: network.controller, core: proxyCore, uid: plainUid },
      command: program,
      parameters: [`${own}/ca.json`],
      environment: { HOME: own, STEPPATH: own },
      folder: own,
      outputPath: `${own}/step-ca.out`,
      errorPath: `${own}/step-ca.err`,
    }),
  );
  const plan: Omit<StepPlan, "calls"> = {
    host,
    port,
    root,
    provisionerKey: privateKey.export({ type: "pkcs8", format: "pem" }),
  };
  const load = {
    namespace: network.client,
    script: `${projectFolder}/bench/step-load.ts`,
    plan,
    planFile: `${own}/plan.json`,
    answering,
  };
  await awaitIssuer(load);
  const owned = stack.move();
  return {
    subject: name,
    issue: (calls) => issueOverNetwork(load, calls),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Returns the root as PEM. */
async function writeAuthorities(folder: string, now: number): Promise<string> {
  const trustDomain = parseTrustDomain("cluster.local");
  const life = { trustDomain, notBefore: now - backdateMs, notAfter: now + lifeMs };
  const root = await createRoot({ ...life, name: "signet bench root" });
  const intermediate = await createIntermediate(root, { ...life, name: "signet bench" });
  const { certificate, privateKey } = writeAuthority(intermediate);
  writeFileSync(`${folder}/root.crt`, toPem(root.certificate));
  writeFileSync(`${folder}/intermediate.crt`, certificate);
  writeFileSync(`${folder}/intermediate.key`, privateKey, { mode: 0o400 });
  return toPem(root.certificate);
}
