// `signet certs watch`: each certificate as it is issued, over all controllers, once its log has been proven to
// have it.
import { EXIT_OK } from "../exit-codes.ts";
import { readIssued } from "../issued.ts";
import type { IssuedCertificate } from "../issued.ts";
import { LogFault } from "../log/log-fault.ts";
import { watchLogs } from "../log/watch.ts";
import type { Watched } from "../log/watch.ts";
import type { Mesh } from "../mesh.ts";
import { formatDuration, formatTime, printable } from "../text.ts";
import { filterOf } from "./certs.ts";
import { readCount } from "./certs-who.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option } from "./context.ts";
import { alarmed } from "./log-follow.ts";

/**
 * `given`: tests have a mesh of their own. Ends with the context's signal, whose reason it throws; exits with 1
 * when a log takes something back.
 */
export async function certsWatch(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, signal } = context;
  const countMax = readCount(option(context, "count"), "--count") ?? Infinity;
  const mesh = given ?? (await meshOf(context));
  const isWanted = await filterOf(context, mesh);
  if (print.format === "table") print.note(`Watching ${mesh.place}; Ctrl-C ends it`);
  let count = 0;
  try {
    for await (const watched of watchLogs(mesh, context)) {
      for (const each of issuedIn(watched).filter(isWanted)) {
        print.raw(`${print.format === "json" ? watchJson(each) : watchLine(each)}\n`);
        count += 1;
        if (count >= countMax) return EXIT_OK;
      }
    }
  } catch (error) {
    if (error instanceof LogFault) return alarmed(context, error.message);
    throw error;
  }
  signal.throwIfAborted();
  return EXIT_OK;
}

/** Throws MeshAccessError for an entry that cannot be read. */
function issuedIn({ pod, from, entries }: Watched): readonly IssuedCertificate[] {
  const certificates = entries.map((entry, at) => ({
    ...(JSON.parse(entry) as object),
    index: from + at,
  }));
  return readIssued({ pod, certificates });
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
