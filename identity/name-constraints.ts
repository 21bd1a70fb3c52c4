// Name constraints of authorities (RFC 5280 section 4.2.1.10) on the one name that our leaves have:
// a URI. Constraints on forms that a leaf of ours cannot carry say nothing about it, except those on
// directories, of which an authority's subject is one: they are refused as not understood.
import { extensionOf } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { readNameConstraints } from "./extensions.ts";
import { IdentityError } from "./identity-error.ts";
import type { GeneralName } from "./names.ts";
import { oid } from "./object-identifiers.ts";
import { trustDomainOf } from "./spiffe-id.ts";
import type { SpiffeId } from "./spiffe-id.ts";

const irrelevant: ReadonlySet<string> = new Set(["dns", "email", "ip"]);

/** Throws IdentityError when `authority` may not sign for `id`, DerError when it is malformed. */
export function checkNameConstraints(authority: Certificate, id: SpiffeId): void {
  const extension = extensionOf(authority, oid.nameConstraints);
  if (extension === null) return;
  const { permitted, excluded } = readNameConstraints(extension.value);
  for (const { kind } of [...permitted, ...excluded]) {
    if (kind === "uri" || irrelevant.has(kind)) continue;
    throw new IdentityError(
      "extension_critical_unknown",
      `Cannot trust chain: authority ${authority.serial} constrains names of kind "${kind}"`,
    );
  }
  const host = trustDomainOf(id);
  const uris = permitted.filter(({ kind }) => kind === "uri");
  const isPermitted = uris.length === 0 || uris.some((name) => covers(name, host));
  const isExcluded = excluded.some((name) => name.kind === "uri" && covers(name, host));
  if (isPermitted && !isExcluded) return;
  throw new IdentityError(
    "chain_name_not_permitted",
    `Cannot trust chain: authority ${authority.serial} may not sign for "${id}"`,
  );
}

/** A constraint that begins with a period covers every host below it, any other that host alone. */
function covers({ value }: GeneralName, host: string): boolean {
  const constraint = value.toLowerCase();
  if (constraint === "") return true;
  return constraint.startsWith(".") ? host.endsWith(constraint) : host === constraint;
}
