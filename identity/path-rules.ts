// What makes a chain of certificates a proof (RFC 5280 section 6, narrowed): from a leaf over its
// authorities to a root that is trusted. One rule, one entry, signatures last because they cost most:
// verify.ts stops at the first that fails, inspect.ts lists them all.
import { readOctetString } from "#/lib/der.ts";
import { equal, extensionOf } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import {
  keyUsageBit,
  readAuthorityKeyId,
  readBasicConstraints,
  readExtendedKeyUsage,
  readKeyUsage,
} from "./extensions.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import { outsideConstraints } from "./name-constraints.ts";
import { oid } from "./object-identifiers.ts";
import { isSignedBy } from "./signature.ts";

export type Purpose = "client" | "server";

export interface Path {
  /** Leaf first, then each one's issuer; without the anchor. */
  readonly certificates: readonly Certificate[];
  /** The trusted root that the last one names as its issuer; null when there is none. */
  readonly anchor: Certificate | null;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly purpose: Purpose;
}

export interface PathRule {
  readonly code: IdentityErrorCode;
  /** What is demanded, one sentence without a period. */
  readonly demand: string;
  /** null when it holds, else what stands there instead. May throw DerError. */
  readonly fault: (path: Path) => string | null;
}

const purposeOids: Readonly<Record<Purpose, string>> = {
  client: oid.clientAuth,
  server: oid.serverAuth,
};

export const pathRules: readonly PathRule[] = [
  {
    code: "chain_not_rooted",
    demand: "the last certificate is issued by a trusted root",
    fault: ({ anchor }) => (anchor === null ? "no trusted root is its issuer" : null),
  },
  {
    code: "chain_issuer_mismatch",
    demand: "each certificate names the next one as its issuer, by name and by key",
    fault: (path) => firstFault(links(path), ({ child, issuer }) => mismatch(child, issuer)),
  },
  {
    code: "chain_issuer_not_authority",
    demand: "each issuer is an authority that may sign certificates for this purpose",
    fault: (path) => firstFault(links(path), ({ issuer }) => notAuthority(issuer, path.purpose)),
  },
  {
    code: "chain_path_too_long",
    demand: "no issuer has more authorities below it than its path length allows",
    fault: (path) => firstFault(links(path), tooLong),
  },
  {
    code: "chain_name_not_permitted",
    demand: "every name lies within the name constraints of every issuer above it",
    fault: (path) =>
      firstFault(links(path), ({ issuer, depth }) =>
        outsideConstraints(path.certificates.slice(0, depth + 1), issuer),
      ),
  },
  {
    code: "chain_not_yet_valid",
    demand: "every certificate's life has begun",
    fault: ({ now, ...path }) =>
      firstFault(members(path), (one) =>
        now < one.notBefore ? `${one.serial} begins ${time(one.notBefore)}` : null,
      ),
  },
  {
    code: "chain_expired",
    demand: "no certificate's life has ended",
    fault: ({ now, ...path }) =>
      firstFault(members(path), (one) =>
        now >= one.notAfter ? `${one.serial} ended ${time(one.notAfter)}` : null,
      ),
  },
  {
    code: "chain_signature_invalid",
    demand: "each certificate is signed by its issuer",
    fault: (path) =>
      firstFault(links(path), ({ child, issuer }) =>
        isSignedBy(child, issuer) ? null : `${child.serial} is not signed by ${issuer.serial}`,
      ),
  },
];

/** True when `issuer` may be who issued `child`, by name and key identifier alone. */
export function isNamedIssuer(child: Certificate, issuer: Certificate): boolean {
  return mismatch(child, issuer) === null;
}

/** One step of a path; `depth` counts the authorities between the leaf and `issuer`. */
interface Link {
  readonly child: Certificate;
  readonly issuer: Certificate;
  readonly depth: number;
}

function links({ certificates, anchor }: Path): readonly Link[] {
  return certificates.flatMap((child, depth) => {
    const issuer = certificates[depth + 1] ?? anchor;
    return issuer === null ? [] : [{ child, issuer, depth }];
  });
}

function members({ certificates, anchor }: Omit<Path, "now">): readonly Certificate[] {
  return anchor === null ? certificates : [...certificates, anchor];
}

function firstFault<T>(list: readonly T[], fault: (one: T) => string | null): string | null {
  for (const one of list) {
    const found = fault(one);
    if (found !== null) return found;
  }
  return null;
}

function mismatch(child: Certificate, issuer: Certificate): string | null {
  if (!equal(child.issuer.whole, issuer.subject.whole)) {
    return `${child.serial} names another issuer than ${issuer.serial}`;
  }
  const wanted = extensionOf(child, oid.authorityKeyIdentifier);
  const held = extensionOf(issuer, oid.subjectKeyIdentifier);
  const key = wanted === null ? null : readAuthorityKeyId(wanted.value);
  if (key === null || held === null || equal(readOctetString(held.value), key)) return null;
  return `${child.serial} names another key than that of ${issuer.serial}`;
}

function notAuthority(issuer: Certificate, purpose: Purpose): string | null {
  const basic = extensionOf(issuer, oid.basicConstraints);
  if (basic === null || !basic.critical || !readBasicConstraints(basic.value).isAuthority) {
    return `${issuer.serial} is no authority`;
  }
  const usage = extensionOf(issuer, oid.keyUsage);
  if (usage === null || (readKeyUsage(usage.value) & keyUsageBit.keyCertSign) === 0) {
    return `${issuer.serial} may not sign certificates`;
  }
  const extended = extensionOf(issuer, oid.extendedKeyUsage);
  if (extended === null || readExtendedKeyUsage(extended.value).includes(purposeOids[purpose])) {
    return null;
  }
  return `${issuer.serial} may not sign for a ${purpose}`;
}

function tooLong({ issuer, depth }: Link): string | null {
  const basic = extensionOf(issuer, oid.basicConstraints);
  const most = basic === null ? null : readBasicConstraints(basic.value).pathLengthMax;
  if (most === null || depth <= most) return null;
  return `${issuer.serial} allows ${most} authorities below it, there are ${depth}`;
}

function time(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
