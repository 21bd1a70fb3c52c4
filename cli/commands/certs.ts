// `signet certs list` and `inspect`: what was issued, to whom, and whether it keeps the rules.
import { durationMs } from "#/cluster/duration.ts";
import { toPem } from "#/identity/bundle.ts";
import { inspectChain } from "#/identity/inspect.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { UsageError } from "../args.ts";
import { inspectionJson, inspectionText, isValid, listText } from "../certificate-text.ts";
import { judgeHandshake } from "../certs/endpoint.ts";
import { filesJson, filesText, readFileRows } from "../certs/files.ts";
import { liveJson, liveText, readLive } from "../certs/live.ts";
import { findSource } from "../certs/source.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import { readIdentity } from "../identity/suspension.ts";
import { newestByPod, readIssued } from "../issued.ts";
import type { IssuedCertificate } from "../issued.ts";
import { needNamespace } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option, word } from "./context.ts";

/** `given`: tests have a mesh of their own. */
export async function certsList(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, clock, options, words } = context;
  const endsBefore = readEnd(context);
  const isDue = ({ notAfter }: { readonly notAfter: number }): boolean => notAfter <= endsBefore;
  const files = words["files"] ?? [];
  if (files.length > 0) {
    const rows = files.flatMap(readFileRows).filter(isDue);
    if (options["pem"] === true) print.raw(rows.map(({ der }) => toPem(der)).join(""));
    else if (print.format === "json") print.json({ certificates: rows.map(filesJson) });
    else print.lines(filesText(rows, clock.now(), print.width(), print.style));
    return EXIT_OK;
  }
  const mesh = given ?? (await meshOf(context));
  const isWanted = await filterOf(context, mesh);
  if (options["live"] === true) {
    const rows = (await readLive(mesh)).filter((row) => isWanted(row) && isDue(row));
    if (print.format === "json") print.json({ sidecars: rows.map(liveJson) });
    else print.lines(liveText(rows, clock.now(), print.width(), print.style));
    return EXIT_OK;
  }
  const all = (await readLogs(mesh, option(context, "namespace"))).filter(isWanted);
  const shown = (options["all"] === true ? all : newestByPod(all)).filter(isDue);
  if (options["pem"] === true) {
    print.raw(
      shown.flatMap(({ chain: [leaf] }) => (leaf === undefined ? [] : toPem(leaf))).join(""),
    );
  } else if (print.format === "json") {
    print.json({ certificates: shown.map((each) => listJson(each, clock.now())) });
  } else print.lines(listText(shown, clock.now(), print.width(), print.style));
  return EXIT_OK;
}

/** Newest first, of all controllers. */
async function readLogs(
  mesh: Mesh,
  namespace: string | null,
): Promise<readonly IssuedCertificate[]> {
  const query = namespace === null ? "" : `?namespace=${encodeURIComponent(namespace)}`;
  const all = (await mesh.inspect(`/v1/certificates${query}`))
    .flatMap(readIssued)
    .filter((each) => namespace === null || each.namespace === namespace);
  // The log also has those of namespaces that are gone.
  if (all.length === 0 && namespace !== null) {
    await needNamespace(mesh, namespace, "list the certificates of");
  }
  return all;
}

interface Named {
  readonly id: string;
  readonly namespace: string;
}

/** By namespace and identity. Rejects with MeshAccessError for what is neither. */
export async function filterOf(
  context: CommandContext,
  mesh: Mesh,
): Promise<(each: Named) => boolean> {
  const namespace = option(context, "namespace");
  const identity = option(context, "identity");
  const id = identity === null ? null : readIdentity(identity, await mesh.trustDomain());
  return (each) =>
    (namespace === null || each.namespace === namespace) && (id === null || each.id === id);
}

/** Milliseconds since the Unix epoch; Infinity without the option. Throws UsageError. */
function readEnd(context: CommandContext): number {
  const text = option(context, "ends-within");
  if (text === null) return Infinity;
  const within = durationMs(text);
  if (within !== null) return context.clock.now() + within;
  throw new UsageError("usage", `Cannot use --ends-within "${text}": it is no time`, {
    next: "Write it as 10m or 1h30m",
  });
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

export async function certsInspect(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, clock, options } = context;
  const found = await findSource(context, word(context, "source"), given);
  const { chain, handshake, origin, logged, unchecked, roots, trustDomain, purpose } = found;
  if (options["pem"] === true) {
    print.raw(chain.map(toPem).join(""));
    return EXIT_OK;
  }
  const now = clock.now();
  const inspection = inspectChain(chain, {
    now,
    roots,
    trustDomain: trustDomain === null ? null : parseTrustDomain(trustDomain),
    purpose,
  });
  const expected = option(context, "expect");
  const endpoint =
    handshake === null
      ? null
      : {
          handshake,
          checks: judgeHandshake(handshake, {
            hasRoots: roots !== null,
            id: inspection.id,
            expected: expected === null ? null : readIdentity(expected, trustDomain ?? ""),
          }),
        };
  const subject = { origin, logged, unchecked, endpoint };
  if (print.format === "json") print.json(inspectionJson(inspection, subject));
  else print.lines(inspectionText(inspection, subject, now, print.style));
  return isValid(inspection, subject) ? EXIT_OK : EXIT_FAILED;
}
