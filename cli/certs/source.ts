// What `signet certs` is asked to look at, wherever it is: a pod's certificate as the log has it, a serial
// number there, a PEM or DER file, standard input, or a TLS endpoint that is asked now.
import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import path from "node:path";
import { text as readAll } from "node:stream/consumers";
import { parsePem } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import type { Purpose } from "#/identity/path-rules.ts";
import { messageOf } from "#/lib/errors.ts";
import type { CommandContext } from "../commands/context.ts";
import { meshOf, option } from "../commands/context.ts";
import { namesCluster } from "../cluster-access.ts";
import { newestByPod, readIssued } from "../issued.ts";
import type { IssuedCertificate } from "../issued.ts";
import { MeshAccessError, findPod, podName } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";
import { PROBE_MS_MAX, isLocalPod, probeFromNode, protocolsOffered } from "./endpoint.ts";
import { readEndpoint, readPodEndpoint } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import { probe } from "./probe.ts";
import type { Handshake } from "./probe.ts";
import { serialForm } from "./search.ts";

/** A certificate has some hundred bytes, a chain some thousand. */
const FILE_BYTES_MAX = 1024 * 1024;
const ISSUER_GONE = "the controller has another issuer by now; the next renewal brings its chain";
const DEVELOPMENT_ROOT = "certs-dev/out/root.crt";

export interface Found {
  /** "pod app-a/app-a-1", "file leaf.pem". */
  readonly origin: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** What the log says of it; null when it was not asked, or does not know it. */
  readonly logged: IssuedCertificate | null;
  /** Why the chain cannot be checked; empty when it can. */
  readonly unchecked: string;
  /** DER; null: nothing is known of trust. */
  readonly roots: readonly Uint8Array[] | null;
  readonly trustDomain: string | null;
  /** As whom its holder speaks here. */
  readonly purpose: Purpose;
  /** null: nobody was asked. */
  readonly handshake: Handshake | null;
}

/** Rejects with MeshAccessError or ProbeError, which say what would do. `given`: tests have their own mesh. */
export async function findSource(
  context: CommandContext,
  source: string,
  given?: Mesh,
): Promise<Found> {
  const mesh = given ?? (await meshOf(context));
  if (source === "-") return foreign(context, mesh, "standard input", await readInput());
  const isFile = statSync(source, { throwIfNoEntry: false })?.isFile() === true;
  const isPath = /^\.{0,2}\/|\.(?:pem|crt|cer|der)$/.test(source);
  if (isFile || isPath) return foreign(context, mesh, `file ${source}`, readFile(source));
  const podEndpoint = readPodEndpoint(source);
  if (podEndpoint !== null) {
    const pod = findPod(await mesh.pods(), podEndpoint.pod);
    const at = { host: pod.address, port: podEndpoint.port };
    return ofEndpoint(context, mesh, `endpoint ${podName(pod)}:${at.port}`, at);
  }
  const endpoint = readEndpoint(source);
  if (endpoint !== null) return ofEndpoint(context, mesh, `endpoint ${source}`, endpoint);
  return serialForm.test(source) ? ofSerial(mesh, source) : ofPod(mesh, source);
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
  return ofLog(mesh, `pod ${podName(pod)}`, logged);
}

async function ofSerial(mesh: Mesh, source: string): Promise<Found> {
  const serial = source.replaceAll(":", "").toLowerCase();
  const query = new URLSearchParams({ serial }).toString();
  const answers = await mesh.inspect(`/v1/certificates?${query}`);
  const logged = answers.flatMap(readIssued).find((each) => each.serial === serial);
  if (logged !== undefined) return ofLog(mesh, `serial ${serial}`, logged);
  throw new MeshAccessError("not_found", `Cannot inspect serial ${serial}: no log has it`, {
    next: "See: signet certs list --all",
  });
}

async function ofLog(mesh: Mesh, origin: string, logged: IssuedCertificate): Promise<Found> {
  const trusted = await trustedRoots(mesh);
  // The log has the leaf; the chain above it is known while that issuer is the controller's present one.
  const isIssuerKnown = logged.chain.length > 1;
  return {
    origin,
    chain: logged.chain,
    logged,
    unchecked: isIssuerKnown ? whyUnchecked(trusted) : ISSUER_GONE,
    roots: isIssuerKnown ? trusted : null,
    trustDomain: await mesh.trustDomain(),
    purpose: "client",
    handshake: null,
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
    origin,
    chain,
    logged: await loggedAs(mesh, chain),
    unchecked: whyUnchecked(roots),
    roots,
    trustDomain: null,
    purpose: "client",
    handshake: null,
  };
}

async function ofEndpoint(
  context: CommandContext,
  mesh: Mesh,
  origin: string,
  { host, port }: Endpoint,
): Promise<Found> {
  const roots = (await trustedRoots(mesh)) ?? developmentRoots(context);
  const asked = option(context, "alpn");
  const options = {
    host,
    port,
    protocols: asked === null ? protocolsOffered : [asked.split(",").filter((name) => name !== "")],
    serverName: option(context, "server-name"),
    roots: roots ?? [],
    timeoutMs: PROBE_MS_MAX,
  };
  const isInNode = !namesCluster(context) && isIP(host) !== 0 && isLocalPod(host);
  const handshake = await (isInNode ? probeFromNode(options, context.names) : probe(options));
  const chain = handshake.chain.map((der) => new Uint8Array(Buffer.from(der, "base64")));
  return {
    origin,
    chain,
    logged: await loggedAs(mesh, chain),
    unchecked: whyUnchecked(roots),
    roots,
    trustDomain: await mesh.trustDomain().catch(() => null),
    purpose: "server",
    handshake,
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
  if (leaf === undefined) return null;
  const query = new URLSearchParams({ serial: readCertificate(leaf).serial }).toString();
  const answers = await mesh.inspect(`/v1/certificates?${query}`).catch(() => []);
  const same = ({ chain: [own] }: IssuedCertificate): boolean =>
    own !== undefined && Buffer.compare(own, leaf) === 0;
  return answers.flatMap(readIssued).find(same) ?? null;
}

/** PEM when it looks like it, else DER. */
export function readChain(bytes: Buffer, origin: string): readonly Uint8Array[] {
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

export function readFile(file: string): Buffer {
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX) throw new Error(`${size} bytes are more than ${FILE_BYTES_MAX}`);
    return readFileSync(file);
  } catch (cause) {
    const state = cause instanceof Error ? cause.message : String(cause);
    throw new MeshAccessError("not_found", `Cannot read "${file}": ${state}`, {
      cause,
      next: "Name a pod, a serial number, a PEM or DER file, HOST:PORT, or - for standard input",
    });
  }
}

async function readInput(): Promise<Buffer> {
  process.stdin.setEncoding("latin1");
  return Buffer.from((await readAll(process.stdin)).slice(0, FILE_BYTES_MAX), "latin1");
}
