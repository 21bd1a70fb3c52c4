// Every identity is listed, and what `signet certs` says of a certificate is what openssl says.
import { inspectChain } from "#/identity/inspect.ts";
import { toPem } from "#/identity/bundle.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { newestByPod, readIssued } from "../issued.ts";
import type { IssuedCertificate } from "../issued.ts";
import { rootsOf } from "../log/signed.ts";
import { podName } from "../mesh.ts";
import { colonHex, formatTime, shortIdentity } from "../text.ts";
import { hold } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";
import { readOpensslText } from "./openssl-text.ts";

const SYSTEM_NAMESPACE = "signet-system";

export const certificates: Claim = {
  title: "Each identity is listed with its certificate, and openssl reads the same in it",
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  const { mesh, clock } = context;
  const answers = await mesh.inspect("/v1/certificates");
  const issued = newestByPod(answers.flatMap(readIssued));
  const roots = await rootsOf(mesh);
  const trustDomain = await mesh.trustDomain();
  const meshed = (await mesh.pods()).filter(
    ({ isMeshed, namespace }) => isMeshed && namespace !== SYSTEM_NAMESPACE,
  );
  hold(meshed.length > 0, "no pod is in the mesh");
  const evidence: string[] = [];
  for (const pod of meshed) {
    const found = issued.find((each) => each.namespace === pod.namespace && each.pod === pod.name);
    hold(found !== undefined, `${podName(pod)} is not listed`);
    const id = `spiffe://${trustDomain}/ns/${pod.namespace}/sa/${pod.serviceAccount}`;
    hold(found.id === id, `${podName(pod)} is listed as "${found.id}", it is "${id}"`);
    hold(found.notAfter > clock.now(), `the certificate of ${podName(pod)} has ended`);
    const { checks } = inspectChain(found.chain, {
      now: clock.now(),
      roots,
      trustDomain: parseTrustDomain(trustDomain),
    });
    const broken = checks.filter(({ passed }) => !passed).map(({ demand }) => demand);
    hold(broken.length === 0, `${podName(pod)} breaks: ${broken.join("; ")}`);
    await compare(context, found);
    evidence.push(
      `${podName(pod)}: ${shortIdentity(found.id)}, serial ${found.serial.slice(0, 16)}, ${checks.length} checks passed, openssl agrees`,
    );
  }
  return evidence;
}

/** Every field that both know. */
async function compare(context: TourContext, issued: IssuedCertificate): Promise<void> {
  const [leaf] = issued.chain;
  hold(leaf !== undefined, `the log has no certificate for ${issued.id}`);
  const trustDomain = null;
  const inspection = inspectChain(issued.chain, {
    now: context.clock.now(),
    roots: null,
    trustDomain,
  });
  const ours = inspection.certificates[0]!;
  const ran = await context.runHere(
    [
      "openssl",
      "x509",
      "-noout",
      "-serial",
      "-dates",
      "-fingerprint",
      "-sha256",
      "-ext",
      "subjectAltName",
    ],
    toPem(leaf),
  );
  hold(ran.exitCode === 0, `openssl cannot read it: ${ran.stderr.trim()}`);
  const theirs = readOpensslText(ran.stdout);
  const pairs = [
    ["serial", ours.serial, theirs.serial],
    ["begin", formatTime(ours.notBefore), formatTime(theirs.notBefore)],
    ["end", formatTime(ours.notAfter), formatTime(theirs.notAfter)],
    ["fingerprint", colonHex(ours.fingerprint), theirs.fingerprint],
    ["name", inspection.id ?? "", theirs.uri],
  ] as const;
  for (const [name, our, their] of pairs) {
    hold(our === their, `${name}: signet reads "${our}", openssl "${their}"`);
  }
}
