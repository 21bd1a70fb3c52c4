// `signet certs diff`: two certificates, field by field.
import { inspectChain } from "#/identity/inspect.ts";
import { readCertificate } from "#/identity/certificate.ts";
import { fingerprint } from "#/identity/bundle.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { compare, compareText } from "../certs/compare.ts";
import type { Compared } from "../certs/compare.ts";
import { findSource } from "../certs/source.ts";
import type { Found } from "../certs/source.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import type { Mesh } from "../mesh.ts";
import type { CommandContext } from "./context.ts";
import { word } from "./context.ts";

/** Exits with 1 when they differ. `given`: tests have a mesh of their own. */
export async function certsDiff(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, clock, options } = context;
  const one = await findSource(context, word(context, "one"), given);
  const other = await findSource(context, word(context, "other"), given);
  const now = clock.now();
  const fields = compare(compared(one, now), compared(other, now));
  const isSame = fields.every((field) => field.isSame);
  const origins: [string, string] = [one.origin, other.origin];
  if (print.format === "json") print.json({ one: origins[0], other: origins[1], isSame, fields });
  else {
    const all = options["all"] === true;
    print.lines(compareText(origins, fields, { all, width: print.width(), style: print.style }));
  }
  return isSame ? EXIT_OK : EXIT_FAILED;
}

function compared({ chain, roots, trustDomain, purpose }: Found, now: number): Compared {
  const domain = trustDomain === null ? null : parseTrustDomain(trustDomain);
  const inspection = inspectChain(chain, { now, roots, trustDomain: domain, purpose });
  return { inspection, keyFingerprint: fingerprint(readCertificate(chain[0]!).publicKey.der) };
}
