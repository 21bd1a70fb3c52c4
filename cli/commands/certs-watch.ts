// `signet certs watch`: each certificate as it is issued, over all controllers.
import { sleep } from "#/lib/clock.ts";
import { EXIT_OK } from "../exit-codes.ts";
import { readIssued } from "../issued.ts";
import type { IssuedCertificate } from "../issued.ts";
import type { Mesh } from "../mesh.ts";
import { formatDuration, formatTime, printable } from "../text.ts";
import { filterOf } from "./certs.ts";
import { readCount } from "./certs-who.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option } from "./context.ts";

const LOOK_MS = 1_000;
/** Of each controller in one look: one that issues more in a second shows the newest of them. */
const ENTRIES_MAX = 1_000;

/** `given`: tests have a mesh of their own. Ends with the context's signal, whose reason it throws. */
export async function certsWatch(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, clock, signal } = context;
  const countMax = readCount(option(context, "count"), "--count") ?? Infinity;
  const mesh = given ?? (await meshOf(context));
  const isWanted = await filterOf(context, mesh);
  const look = async (): Promise<readonly IssuedCertificate[]> =>
    (await mesh.inspect(`/v1/certificates?limit=${ENTRIES_MAX}`)).flatMap(readIssued);
  let seen = new Set((await look()).map(({ serial }) => serial));
  if (print.format === "table") print.note(`Watching ${mesh.place}; Ctrl-C ends it`);
  for (let count = 0; count < countMax;) {
    await sleep(clock, LOOK_MS, signal);
    signal.throwIfAborted();
    const all = await look();
    const fresh = all.filter((each) => !seen.has(each.serial) && isWanted(each));
    // Only what can still come again is remembered.
    seen = new Set(all.map(({ serial }) => serial));
    for (const each of fresh.toSorted(byTime)) {
      if (count >= countMax) break;
      count += 1;
      print.raw(`${print.format === "json" ? watchJson(each) : watchLine(each)}\n`);
    }
  }
  return EXIT_OK;
}

function byTime(one: IssuedCertificate, other: IssuedCertificate): number {
  return one.issuedAt - other.issuedAt || (one.logIndex ?? 0) - (other.logIndex ?? 0);
}

function watchLine(each: IssuedCertificate): string {
  const life = formatDuration(each.notAfter - each.issuedAt);
  const who = `${each.namespace}/${each.pod} at ${each.address || "-"}`;
  return printable(`${formatTime(each.issuedAt)}  ${each.serial}  ${each.id}  ${who}  for ${life}`);
}

/** One object a line. */
function watchJson({ chain: _chain, ...each }: IssuedCertificate): string {
  return JSON.stringify({
    ...each,
    issuedAt: new Date(each.issuedAt).toISOString(),
    notBefore: new Date(each.notBefore).toISOString(),
    notAfter: new Date(each.notAfter).toISOString(),
  });
}
