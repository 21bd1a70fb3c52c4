// `signet certs`: what was issued, to whom, and whether it keeps the rules.
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { text as readAll } from "node:stream/consumers";
import { parsePem, toPem } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import { inspectChain } from "#/identity/inspect.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";
import { inspectionJson, inspectionText, isValid, listText } from "../certificate-text.ts";
import type { Subject } from "../certificate-text.ts";
import { newestByPod, readIssued } from "../issued.ts";
import type { IssuedCertificate } from "../issued.ts";
import { MeshAccessError, findPod, needNamespace, podName } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option, word } from "./context.ts";

/** A certificate has some hundred bytes, a chain some thousand. */
const FILE_BYTES_MAX = 1024 * 1024;
const ISSUER_GONE = "the controller has another issuer by now; the next renewal brings its chain";
const DEVELOPMENT_ROOT = "certs-dev/out/root.crt";

/** `mesh` is the one that is meant; tests give their own. */
export async function certsList(context: CommandContext, given?: Mesh): Promise<number> {
  const mesh = given ?? (await meshOf(context));
  const { print, clock } = context;
  const namespace = option(context, "namespace");
  const query = namespace === null ? "" : `?namespace=${encodeURIComponent(namespace)}`;
  const answers = await mesh.inspect(`/v1/certificates${query}`);
  const all = answers
    .flatMap(readIssued)
    .filter((each) => namespace === null || each.namespace === namespace);
  // The log also has those of namespaces that are gone.
  if (all.length === 0 && namespace !== null) {
    await needNamespace(mesh, namespace, "list the certificates of");
  }
  const now = clock.now();
  const shown = context.options["all"] === true ? all : newestByPod(all);
  if (print.format === "json")
    print.json({ certificates: shown.map((each) => listJson(each, now)) });
  else print.lines(listText(shown, now, print.width(), print.style));
  return EXIT_OK;
}

function listJson({ chain: _chain, ...each }: IssuedCertificate, now: number): unknown {
  return {
    ...each,
    issuedAt: new Date(each.issuedAt).toISOString(),
    notBefore: new Date(each.notBefore).toISOString(),
    notAfter: new Date(each.notAfter).toISOString(),
    leftSeconds: Math.round((each.notAfter - now) / 1000),
  };
}

interface Found {
  readonly chain: readonly Uint8Array[];
  readonly subject: Subject;
  readonly roots: readonly Uint8Array[] | null;
  readonly trustDomain: string | null;
}

export async function certsInspect(context: CommandContext): Promise<number> {
  const { print, clock } = context;
  const { chain, subject, roots, trustDomain } = await find(context);
  if (context.options["pem"] === true) {
    print.raw(chain.map(toPem).join(""));
    return EXIT_OK;
  }
  const now = clock.now();
  const inspection = inspectChain(chain, {
    now,
    roots,
    trustDomain: trustDomain === null ? null : parseTrustDomain(trustDomain),
  });
  if (print.format === "json") print.json(inspectionJson(inspection, subject));
  else print.lines(inspectionText(inspection, subject, now, print.style));
  return isValid(inspection) ? EXIT_OK : EXIT_FAILED;
}

/** A file when there is one of that name (or a path is written), else a pod. */
async function find(context: CommandContext): Promise<Found> {
  const source = word(context, "source");
  const mesh = await meshOf(context);
  if (source === "-") return foreign(context, mesh, "standard input", await readInput());
  const isFile = statSync(source, { throwIfNoEntry: false })?.isFile() === true;
  const isPath = /^\.{0,2}\/|\.(?:pem|crt|cer|der)$/.test(source);
  if (isFile || isPath) return foreign(context, mesh, `file ${source}`, readFile(source));
  return ofPod(mesh, source);
}

async function ofPod(mesh: Mesh, source: string): Promise<Found> {
  const pod = findPod(await mesh.pods(), source);
  const query = new URLSearchParams({ namespace: pod.namespace, pod: pod.name });
  const answers = await mesh.inspect(`/v1/certificates?${query.toString()}`);
  const issued = answers
    .flatMap(readIssued)
    .filter((each) => each.namespace === pod.namespace && each.pod === pod.name);
  const [logged] = newestByPod(issued);
  if (logged === undefined) {
    const why = pod.isMeshed ? "it has not asked for one yet" : "it has no sidecar";
    throw new MeshAccessError("not_found", `Cannot inspect "${podName(pod)}": ${why}`, {
      next: pod.isMeshed ? `See: ${mesh.logsHint(podName(pod), "proxy")}` : "Name another pod",
    });
  }
  const trusted = await trustedRoots(mesh);
  // The log has the leaf; the chain above it is known while that issuer is the controller's present one.
  const isIssuerKnown = logged.chain.length > 1;
  const unchecked = isIssuerKnown ? whyUnchecked(trusted) : ISSUER_GONE;
  return {
    chain: logged.chain,
    subject: { origin: `pod ${podName(pod)}`, logged, unchecked },
    roots: isIssuerKnown ? trusted : null,
    trustDomain: await mesh.trustDomain(),
  };
}

/** A certificate from anywhere: checked against the mesh that runs, else the development root. */
async function foreign(
  context: CommandContext,
  mesh: Mesh,
  origin: string,
  bytes: Buffer,
): Promise<Found> {
  const chain = readChain(bytes, origin);
  const roots = (await trustedRoots(mesh)) ?? developmentRoots(context);
  return {
    chain,
    subject: { origin, logged: await loggedAs(mesh, chain), unchecked: whyUnchecked(roots) },
    roots,
    trustDomain: null,
  };
}

function whyUnchecked(roots: readonly Uint8Array[] | null): string {
  return roots === null ? "no trusted roots are known here" : "";
}

async function trustedRoots(mesh: Mesh): Promise<readonly Uint8Array[] | null> {
  const pem = await mesh.bundle().catch(() => null);
  return pem === null ? null : parsePem(pem);
}

function developmentRoots({ repository }: CommandContext): readonly Uint8Array[] | null {
  try {
    return parsePem(readFileSync(path.join(repository, DEVELOPMENT_ROOT), "utf8"));
  } catch {
    // None was made yet.
    return null;
  }
}

/** Its place in the log, when the mesh that runs has issued it. */
async function loggedAs(
  mesh: Mesh,
  [leaf]: readonly Uint8Array[],
): Promise<IssuedCertificate | null> {
  const answers = await mesh.inspect("/v1/certificates").catch(() => []);
  const same = (each: IssuedCertificate): boolean =>
    leaf !== undefined && each.chain[0] !== undefined && Buffer.compare(each.chain[0], leaf) === 0;
  return answers.flatMap(readIssued).find(same) ?? null;
}

/** PEM when it looks like it, else DER. */
function readChain(bytes: Buffer, origin: string): readonly Uint8Array[] {
  const text = bytes.toString("latin1");
  const isPem = text.includes("-----BEGIN");
  try {
    const chain = isPem ? parsePem(text) : [new Uint8Array(bytes)];
    for (const der of chain) readCertificate(der);
    return chain;
  } catch (cause) {
    throw new MeshAccessError("unreadable", `Cannot inspect ${origin}: ${messageOf(cause)}`, {
      cause,
      next: isPem
        ? "Give the PEM blocks of certificates, the leaf first"
        : "Give PEM, or the DER of one certificate",
    });
  }
}

function readFile(file: string): Buffer {
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX) throw new Error(`${size} bytes are more than ${FILE_BYTES_MAX}`);
    return readFileSync(file);
  } catch (cause) {
    const state = cause instanceof Error ? cause.message : String(cause);
    throw new MeshAccessError("not_found", `Cannot read "${file}": ${state}`, {
      cause,
      next: "Name a pod, a PEM or DER file, or - for standard input",
    });
  }
}

async function readInput(): Promise<Buffer> {
  process.stdin.setEncoding("latin1");
  return Buffer.from((await readAll(process.stdin)).slice(0, FILE_BYTES_MAX), "latin1");
}
