// `signet identity`: who is who, and putting a stop to one of them.
import { sleep } from "#/lib/clock.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import {
  identityOf,
  readIdentity,
  readKnowledge,
  readSuspensions,
} from "../identity/suspension.ts";
import { suspensionKind, suspensionOf, untold } from "../identity/suspension.ts";
import type { Suspension } from "../identity/suspension.ts";
import { readIssued } from "../issued.ts";
import { MeshAccessError, podName } from "../mesh.ts";
import type { Mesh, Pod } from "../mesh.ts";
import { formatTable } from "../table.ts";
import { counted, formatDuration, printable, shortIdentity } from "../text.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option, word } from "./context.ts";

/** From the object to the last sidecar's word. */
const KNOWN_MS_MAX = 10_000;
const ASK_MS = 50;
/** Whoever waits longer is told for what. */
const PATIENCE_MS = 1_000;
const NAMED_MAX = 8;

interface IdentityRow {
  readonly identity: SpiffeId | string;
  /** "namespace/name", those with a sidecar. */
  readonly pods: readonly string[];
  /** Milliseconds since the Unix epoch: the end of its last certificate; null without one. */
  readonly certifiedUntil: number | null;
  readonly suspensions: readonly Suspension[];
}

/** `given`: tests have a mesh of their own. */
export async function identityList(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, clock, options } = context;
  const mesh = given ?? (await meshOf(context));
  const namespace = option(context, "namespace");
  const rows = (await readRows(mesh)).filter(({ identity, suspensions }) => {
    const isThere = namespace === null || shortIdentity(identity).startsWith(`${namespace}/`);
    return isThere && (options["suspended"] !== true || suspensions.length > 0);
  });
  const now = clock.now();
  if (print.format === "json") print.json({ identities: rows.map(rowJson) });
  else print.lines(listText(rows, now, context));
  return EXIT_OK;
}

async function readRows(mesh: Mesh): Promise<readonly IdentityRow[]> {
  const [trustDomain, pods, objects, answers] = await Promise.all([
    mesh.trustDomain(),
    mesh.pods(),
    mesh.objects(suspensionKind),
    mesh.inspect("/v1/certificates"),
  ]);
  const issued = answers.flatMap(readIssued);
  const suspensions = readSuspensions(objects);
  const podsOf = Map.groupBy(
    pods.filter(({ isMeshed }) => isMeshed),
    (pod) => identityOf(trustDomain, pod) as string,
  );
  const all = new Set([...podsOf.keys(), ...suspensions.map(({ identity }) => identity)]);
  return [...all].sort().map((identity) => {
    const ends = issued.filter(({ id }) => id === identity).map(({ notAfter }) => notAfter);
    return {
      identity,
      pods: (podsOf.get(identity) ?? []).map(podName).sort(),
      certifiedUntil: ends.length === 0 ? null : Math.max(...ends),
      suspensions: suspensions.filter((each) => each.identity === identity),
    };
  });
}

function rowJson({ identity, pods, certifiedUntil, suspensions }: IdentityRow): object {
  return {
    identity,
    pods,
    certifiedUntil: certifiedUntil === null ? null : new Date(certifiedUntil).toISOString(),
    isSuspended: suspensions.length > 0,
    suspensions: suspensions.map(({ name, reason, since }) => ({
      name,
      reason,
      since: since === null ? null : new Date(since).toISOString(),
    })),
  };
}

function listText(
  rows: readonly IdentityRow[],
  now: number,
  { print }: CommandContext,
): readonly string[] {
  const { paint } = print.style;
  if (rows.length === 0) return ["no identity is there that is asked for"];
  const columns = [
    { title: "IDENTITY" },
    { title: "PODS", alignRight: true },
    { title: "CERTIFIED FOR", alignRight: true },
    { title: "STATE" },
    { title: "SINCE", alignRight: true },
    { title: "REASON", shrinks: true },
  ];
  const cells = rows.map(({ identity, pods, certifiedUntil, suspensions: [first] }) => {
    const left = (certifiedUntil ?? 0) - now;
    return [
      printable(identity),
      String(pods.length),
      left > 0 ? formatDuration(left) : "-",
      first === undefined ? paint.green("active") : paint.red("suspended"),
      first === undefined || first.since === null
        ? "-"
        : `${formatDuration(now - first.since)} ago`,
      first === undefined ? "-" : printable(first.reason),
    ];
  });
  return formatTable(columns, cells, print.width(), print.style);
}

/** Exits with 1 when a sidecar has not said in time that it knows. */
export async function identitySuspend(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, options } = context;
  const mesh = given ?? (await meshOf(context));
  const [trustDomain, pods] = await Promise.all([mesh.trustDomain(), mesh.pods()]);
  const id = readIdentity(word(context, "identity"), trustDomain);
  const reason = option(context, "reason") ?? "";
  const object = suspensionOf(id, reason);
  const own = podsWith(id, trustDomain, pods);
  if (own.length === 0 && options["in-advance"] !== true) {
    throw new MeshAccessError("not_found", `Cannot suspend "${id}": no pod has that identity`, {
      next: "Name one of: signet identity list; or give --in-advance",
    });
  }
  await mesh.apply([object]);
  const known = await waitUntilKnown(context, mesh, id, true);
  if (print.format === "json") {
    print.json({ identity: id, isSuspended: true, name: object.metadata.name, reason, ...known });
  } else {
    const { bold } = print.style.paint;
    print.lines([
      `${bold(id)} is suspended: nothing more is issued to it, and no sidecar speaks with it`,
      ...knownText(known, context),
    ]);
    print.note(`  Its pods: ${own.map(podName).join(", ") || "none now"}`);
    print.note(`  On ${mesh.place}. Take it back: signet identity resume ${shortIdentity(id)}`);
  }
  return known.unaware.length === 0 ? EXIT_OK : EXIT_FAILED;
}

/** Exits with 1 when a sidecar has not said in time that it knows. */
export async function identityResume(context: CommandContext, given?: Mesh): Promise<number> {
  const { print } = context;
  const mesh = given ?? (await meshOf(context));
  const id = readIdentity(word(context, "identity"), await mesh.trustDomain());
  const all = readSuspensions(await mesh.objects(suspensionKind));
  const found = all.filter(({ identity }) => identity === id);
  if (found.length > 0) await mesh.remove(found.map(({ object }) => object));
  const known = await waitUntilKnown(context, mesh, id, false);
  if (print.format === "json") {
    const removed = found.map(({ name, reason }) => ({ name, reason }));
    print.json({ identity: id, isSuspended: false, removed, ...known });
  } else {
    const what =
      found.length === 0 ? "was not suspended" : "is resumed: it is issued certificates again";
    print.lines([`${print.style.paint.bold(id)} ${what}`, ...knownText(known, context)]);
    for (const reason of new Set(found.map((each) => each.reason))) {
      print.note(`  It was suspended because: ${printable(reason)}`);
    }
    print.note(`  On ${mesh.place}`);
  }
  return known.unaware.length === 0 ? EXIT_OK : EXIT_FAILED;
}

interface Known {
  /** Sidecars that are to know. */
  readonly sidecars: number;
  /** "namespace/name" of those that have not said that they do. */
  readonly unaware: readonly string[];
  readonly elapsedMs: number;
}

async function waitUntilKnown(
  { clock, print, signal }: CommandContext,
  mesh: Mesh,
  id: SpiffeId,
  isSuspended: boolean,
): Promise<Known> {
  const begunAt = clock.monotonic();
  const elapsed = (): number => clock.monotonic() - begunAt;
  const isAsMeant = (all: ReadonlySet<string>): boolean => all.has(id) === isSuspended;
  let isTold = false;
  for (;;) {
    const [trustDomain, pods, answers] = await Promise.all([
      mesh.trustDomain(),
      mesh.pods(),
      mesh.inspect("/v1/suspensions"),
    ]);
    const knowledge = answers.map(readKnowledge);
    // Nobody tells a suspended sidecar anything: it was told to close, and is refused by all others.
    const isOther = (pod: Pod): boolean => {
      const identity = identityOf(trustDomain, pod);
      return identity !== id && !knowledge.some(({ suspended }) => suspended.has(identity));
    };
    const meshed = pods.filter((pod) => pod.isMeshed && pod.isReady);
    const others = meshed.filter(isOther).map(podName);
    const unaware = untold(knowledge, others, isAsMeant);
    const elapsedMs = elapsed();
    if (unaware.length === 0 || elapsedMs >= KNOWN_MS_MAX) {
      return { sidecars: others.length, unaware, elapsedMs };
    }
    if (!isTold && elapsedMs > PATIENCE_MS) {
      isTold = true;
      print.note(`  Waiting for ${counted(unaware.length, "sidecar")}: ${named(unaware)}`);
    }
    await sleep(clock, ASK_MS, signal);
  }
}

function knownText(
  { sidecars, unaware, elapsedMs }: Known,
  { print }: CommandContext,
): readonly string[] {
  const { paint, glyphs } = print.style;
  if (unaware.length === 0) {
    const all =
      sidecars === 1 ? "the one other sidecar knows" : `all ${sidecars} other sidecars know`;
    return [`  ${paint.green(glyphs.passed)} ${all}, after ${formatDuration(elapsedMs)}`];
  }
  const which = `${unaware.length} of ${sidecars} other sidecars did not say that they know`;
  return [
    `  ${paint.red(glyphs.failed)} ${which}: ${named(unaware)}`,
    "  They are told when they come back: see signet check",
  ];
}

function named(pods: readonly string[]): string {
  const more = pods.length > NAMED_MAX ? `, and ${pods.length - NAMED_MAX} more` : "";
  return `${pods.slice(0, NAMED_MAX).join(", ")}${more}`;
}

function podsWith(id: SpiffeId, trustDomain: string, pods: readonly Pod[]): readonly Pod[] {
  return pods.filter((pod) => identityOf(trustDomain, pod) === id);
}
