// `signet federation`: with which other trust domains the mesh speaks, and how that stands.
import { readFile } from "node:fs/promises";
import { EXIT_OK } from "../exit-codes.ts";
import {
  bundleState,
  federationKind,
  federationOf,
  lastEnd,
  objectsOf,
  readFederations,
  unreadable,
} from "../federation/federation.ts";
import type { BundleState, Federation } from "../federation/federation.ts";
import { MeshAccessError } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";
import type { Paint } from "../paint.ts";
import { short } from "../rotation-text.ts";
import { formatTable } from "../table.ts";
import { counted, formatDuration, formatTime, printable } from "../text.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option, word } from "./context.ts";

/** `given`: tests have a mesh of their own. */
export async function federationList(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, clock } = context;
  const mesh = given ?? (await meshOf(context));
  const [federations, pods] = await Promise.all([federationsOf(mesh), mesh.pods()]);
  if (print.format === "json") {
    print.json({ federations: [...federations.values()].flat() });
    return EXIT_OK;
  }
  if (federations.size === 0) {
    print.lines(["the mesh is federated with no other trust domain"]);
    return EXIT_OK;
  }
  const { paint } = print.style;
  const now = clock.now();
  const meshed = pods.filter(({ isMeshed }) => isMeshed).length;
  const columns = [
    { title: "TRUST DOMAIN" },
    { title: "BUNDLE" },
    { title: "FETCHED", alignRight: true },
    { title: "ROOTS", alignRight: true },
    { title: "LEFT", alignRight: true },
    { title: "SIDECARS", alignRight: true },
    { title: "ENDPOINT", shrinks: true },
  ];
  const rows = [...federations].sort(byName).map(([trustDomain, each]) => {
    const worst = worstOf(each);
    const end = lastEnd(worst);
    const told = new Set(each.flatMap((one) => one.told)).size;
    return [
      printable(trustDomain),
      painted(bundleState(worst), paint),
      worst.fetchedAt === null ? "-" : `${formatDuration(now - Date.parse(worst.fetchedAt))} ago`,
      String(worst.roots.length),
      end === null ? "-" : end > now ? formatDuration(end - now) : paint.red("expired"),
      `${told} of ${meshed}`,
      printable(worst.url),
    ];
  });
  print.lines(formatTable(columns, rows, print.width(), print.style));
  for (const each of federations.values()) {
    const { trustDomain, fault } = worstOf(each);
    if (fault !== null) print.note(`  ${trustDomain}: ${printable(fault.message)}`);
  }
  return EXIT_OK;
}

export async function federationShow(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, clock } = context;
  const mesh = given ?? (await meshOf(context));
  const trustDomain = word(context, "trust-domain");
  const found = (await federationsOf(mesh)).get(trustDomain);
  if (found === undefined) throw notFederated(trustDomain);
  if (print.format === "json") print.json({ trustDomain, controllers: found });
  else print.lines(found.flatMap((each) => showText(each, clock.now(), context)));
  return EXIT_OK;
}

function showText(each: Federation, now: number, { print }: CommandContext): readonly string[] {
  const { paint } = print.style;
  const { pod, url, profile, endpointId, sequence, refreshHintS, fetchedAt, fault, told } = each;
  const fetched =
    fetchedAt === null ? "never" : `${formatDuration(now - Date.parse(fetchedAt))} ago`;
  return [
    paint.bold(printable(each.trustDomain)) + ` as ${pod} has it`,
    `  endpoint   ${printable(url)} (${profile}${endpointId === null ? "" : `, ${printable(endpointId)}`})`,
    `  bundle     ${painted(bundleState(each), paint)}, fetched ${fetched}, sequence ${sequence ?? "none"}, asked again every ${refreshHintS ?? 300} s`,
    ...(fault === null
      ? []
      : [`  fault      ${paint.red(fault.code)}: ${printable(fault.message)}`]),
    ...each.roots.map(
      ({ fingerprint, notAfter }) =>
        `  root       ${short(fingerprint)}, until ${formatTime(Date.parse(notAfter))}`,
    ),
    `  tokens     ${counted(each.tokenKeys.length, "key")}`,
    `  sidecars   ${told.length === 0 ? "none has it" : told.join(", ")}`,
  ];
}

export async function federationBundle(context: CommandContext, given?: Mesh): Promise<number> {
  const mesh = given ?? (await meshOf(context));
  const [bundle] = await mesh.inspect("/v1/bundle");
  if (typeof bundle !== "object" || bundle === null || !("keys" in bundle)) throw unreadable();
  context.print.json(bundle);
  return EXIT_OK;
}

export async function federationAdd(context: CommandContext, given?: Mesh): Promise<number> {
  const { print } = context;
  const mesh = given ?? (await meshOf(context));
  const trustDomain = word(context, "trust-domain");
  const file = option(context, "bundle");
  const bundle = file === null ? null : await readFile(file, "utf8");
  const url = option(context, "url") ?? "";
  const wish = { trustDomain, url, endpointId: option(context, "endpoint-id"), bundle };
  const object = federationOf(wish, await mesh.trustDomain());
  await mesh.apply([object]);
  if (print.format === "json") {
    print.json({ trustDomain, isFederated: true, name: object.metadata.name });
  } else {
    const { bold } = print.style.paint;
    print.lines([
      `${bold(trustDomain)} is federated: its bundle is fetched, and believed about it`,
    ]);
    print.note("  Nobody there may call yet: name them in a PeerAuthentication, foreignCallers");
    print.note(`  On ${mesh.place}. How it stands: signet federation show ${trustDomain}`);
  }
  return EXIT_OK;
}

export async function federationRemove(context: CommandContext, given?: Mesh): Promise<number> {
  const { print } = context;
  const mesh = given ?? (await meshOf(context));
  const trustDomain = word(context, "trust-domain");
  const found = objectsOf(await mesh.objects(federationKind), trustDomain);
  if (found.length === 0) throw notFederated(trustDomain);
  await mesh.remove(found);
  if (print.format === "json") {
    print.json({
      trustDomain,
      isFederated: false,
      removed: found.map(({ metadata }) => metadata.name),
    });
  } else {
    const { bold } = print.style.paint;
    print.lines([`${bold(trustDomain)} is federated no more: what was open to it is being closed`]);
    print.note(`  On ${mesh.place}`);
  }
  return EXIT_OK;
}

async function federationsOf(mesh: Mesh): Promise<ReadonlyMap<string, readonly Federation[]>> {
  return readFederations(await mesh.inspect("/v1/federation"));
}

function byName([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1;
}

const ranks: readonly BundleState[] = ["missing", "stale", "first bundle", "fetched"];

/** Of several controllers the one that has it worst: that is whose sidecars are in trouble. */
function worstOf(each: readonly Federation[]): Federation {
  return each.toSorted((one, other) => rankOf(one) - rankOf(other))[0]!;
}

function rankOf(each: Federation): number {
  return ranks.indexOf(bundleState(each));
}

function painted(state: BundleState, paint: Paint): string {
  if (state === "fetched") return paint.green(state);
  return state === "first bundle" ? state : paint.red(state);
}

function notFederated(trustDomain: string): MeshAccessError {
  const state = `Cannot find "${trustDomain}": the mesh is not federated with it`;
  return new MeshAccessError("not_found", state, { next: "See: signet federation list" });
}
