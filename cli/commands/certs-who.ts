// `signet certs who`: from a certificate to whoever asked for it.
import { UsageError } from "../args.ts";
import { readSought, searchIssued } from "../certs/search.ts";
import { whoJson, whoTable, whoText } from "../certs/who.ts";
import type { Asker, PodNow } from "../certs/who.ts";
import { EXIT_OK } from "../exit-codes.ts";
import { readSuspensions, suspensionKind } from "../identity/suspension.ts";
import type { IssuedCertificate } from "../issued.ts";
import { MeshAccessError, podName } from "../mesh.ts";
import type { Mesh, Pod } from "../mesh.ts";
import { counted } from "../text.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option, word } from "./context.ts";

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 10_000;

/** `given`: tests have a mesh of their own. */
export async function certsWho(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, clock } = context;
  const limit = readCount(option(context, "limit"), "--limit") ?? LIMIT_DEFAULT;
  const mesh = given ?? (await meshOf(context));
  const text = word(context, "whose");
  const sought = readSought(text, await mesh.trustDomain());
  const found = await searchIssued(mesh, sought, limit);
  if (found.length === 0) {
    throw new MeshAccessError("not_found", `Cannot say who "${text}" is: no log has it`, {
      next: "It was issued by another mesh, or before these logs began: signet certs list --all",
    });
  }
  const askers = await askersOf(mesh, found);
  if (print.format === "json") print.json({ certificates: askers.map(whoJson) });
  else if (sought.kind === "identity") {
    print.lines(whoTable(askers, clock.now(), print.width(), print.style));
    const { suspended } = askers[0]!;
    if (suspended !== null) print.note(`  Suspended: ${suspended}`);
    if (found.length === limit)
      print.note(`  The newest ${counted(limit, "certificate")}; see --limit`);
  } else print.lines(whoText(askers[0]!, clock.now(), print.style));
  return EXIT_OK;
}

/** What is known now comes beside what was logged then. */
async function askersOf(
  mesh: Mesh,
  certificates: readonly IssuedCertificate[],
): Promise<readonly Asker[]> {
  const [pods, objects, answers] = await Promise.all([
    mesh.pods(),
    mesh.objects(suspensionKind),
    mesh.inspect("/v1/policies"),
  ]);
  const byName = new Map(pods.map((pod) => [podName(pod), pod]));
  const suspensions = readSuspensions(objects);
  const policies = policiesOf(answers);
  return certificates.map((certificate) => {
    const name = `${certificate.namespace}/${certificate.pod}`;
    const pod = podNow(byName.get(name), certificate);
    return {
      certificate,
      pod,
      policy: pod?.isSame === true ? (policies.get(name) ?? null) : null,
      suspended: suspensions.find(({ identity }) => identity === certificate.id)?.reason ?? null,
    };
  });
}

function podNow(pod: Pod | undefined, { podUid }: IssuedCertificate): PodNow | null {
  if (pod === undefined) return null;
  const isSame = pod.uid === undefined || podUid === "" || pod.uid === podUid;
  return { node: isSame ? (pod.node ?? null) : null, phase: pod.phase, isSame };
}

function policiesOf(
  answers: readonly unknown[],
): ReadonlyMap<string, { readonly mode: string; readonly source: string }> {
  const found = new Map<string, { mode: string; source: string }>();
  for (const answer of answers) {
    const { pods } = (answer ?? {}) as { readonly pods?: unknown };
    for (const each of Array.isArray(pods) ? pods : []) {
      const { pod, mode, source } = each as Readonly<Record<string, unknown>>;
      if (typeof pod !== "string") continue;
      found.set(pod, { mode: String(mode).toUpperCase(), source: String(source) });
    }
  }
  return found;
}

/** null: not given. Throws UsageError. */
export function readCount(text: string | null, name: string): number | null {
  if (text === null) return null;
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= LIMIT_MAX) return count;
  throw new UsageError(
    "usage",
    `Cannot use ${name} "${text}": it is no number from 1 to ${LIMIT_MAX}`,
  );
}
