// The bundle of another trust domain, read: a JWK Set of the SPIFFE Trust Domain and Bundle specification,
// from whoever runs that trust domain. Nothing in the document says whose it is; what in it does (the URI
// in a root) must agree with whose it is taken for. What a newer specification may add is passed over, what is
// wrong is refused whole. Pure.
import { createPublicKey } from "node:crypto";
import { extensionOf, guarded, readCertificate } from "./certificate.ts";
import type { Certificate } from "./certificate.ts";
import { readAlternativeNames, readBasicConstraints } from "./extensions.ts";
import { IdentityError } from "./identity-error.ts";
import type { IdentityErrorCode } from "./identity-error.ts";
import type { JwtAuthority } from "./jwt-svid.ts";
import { oid } from "./object-identifiers.ts";
import { trustDomainId } from "./spiffe-id.ts";
import type { TrustDomain } from "./spiffe-id.ts";

export interface ForeignBundle {
  /** DER. Empty: the trust domain has revoked all that it had. */
  readonly roots: readonly Uint8Array[];
  /** Those that sign by ES256: of another key no token is read here. */
  readonly jwtAuthorities: readonly JwtAuthority[];
  /** null: the document does not count. */
  readonly sequence: number | null;
  /** Seconds; null: it does not say. */
  readonly refreshHintS: number | null;
}

/** Characters. A root of RSA-4096 has some 3,000 of them in such a document. */
export const documentCharactersMax = 262_144;
/** Roots and keys for tokens, each. */
export const authoritiesMax = 32;
const entriesMax = 256;
const keyIdCharactersMax = 256;
const knownKeyTypes: ReadonlySet<unknown> = new Set(["EC", "RSA", "AKP"]);

type Entry = Readonly<Record<string, unknown>>;

/** Throws IdentityError for what is no bundle, or speaks for another trust domain. */
export function readForeignBundle(text: string, trustDomain: TrustDomain): ForeignBundle {
  if (text.length > documentCharactersMax) {
    throw malformed(`${text.length} characters are more than ${documentCharactersMax}`);
  }
  const { keys, spiffe_sequence, spiffe_refresh_hint } = objectOf(parse(text), "it");
  if (!Array.isArray(keys)) throw malformed('it has no list "keys"');
  if (keys.length > entriesMax) throw malformed(`${keys.length} keys are more than ${entriesMax}`);
  // Keys of a kind or for a use that is not known here are for somebody else (section 4.1.3).
  const entries = keys.map((key) => objectOf(key, "a key"));
  const known = entries.filter(({ kty }) => knownKeyTypes.has(kty));
  const roots = known.filter(({ use }) => use === "x509-svid").map(rootOf);
  const tokenKeys = known.filter(({ use }) => use === "jwt-svid").flatMap(authorityOf);
  if (Math.max(roots.length, tokenKeys.length) > authoritiesMax) {
    throw malformed(`more than ${authoritiesMax} authorities of one use`);
  }
  if (new Set(tokenKeys.map(({ keyId }) => keyId)).size < tokenKeys.length) {
    throw malformed("two keys for tokens have one name");
  }
  for (const root of roots) checkRoot(root, trustDomain);
  return {
    roots: roots.map(({ der }) => der),
    jwtAuthorities: tokenKeys,
    sequence: countOf(spiffe_sequence, "spiffe_sequence"),
    refreshHintS: countOf(spiffe_refresh_hint, "spiffe_refresh_hint"),
  };
}

function rootOf({ x5c }: Entry): Certificate {
  const [text, ...others] = Array.isArray(x5c) ? (x5c as readonly unknown[]) : [];
  if (typeof text !== "string" || others.length > 0) {
    throw malformed("an X.509 authority has not exactly one certificate");
  }
  const der = Buffer.from(text, "base64");
  // Buffer passes over what it cannot read; writing it again shows that nothing was.
  if (der.toString("base64") !== text) throw malformed("a certificate in it is not base64");
  return readCertificate(new Uint8Array(der));
}

/** A root signs certificates, and where it says whose it is, it says so of this trust domain. */
function checkRoot(root: Certificate, trustDomain: TrustDomain): void {
  guarded("certificate_malformed", "root", () => {
    const basic = extensionOf(root, oid.basicConstraints);
    if (basic === null || !readBasicConstraints(basic.value).isAuthority) {
      throw refused("bundle_root_invalid", `its root ${root.serial} is no authority`);
    }
    const names = extensionOf(root, oid.subjectAlternativeName);
    const uris = names === null ? [] : readAlternativeNames(names.value);
    const other = uris.find(({ kind, value }) => {
      return kind === "uri" && value !== trustDomainId(trustDomain);
    });
    if (other === undefined) return;
    const state = `its root ${root.serial} is of "${other.value.slice(0, 128)}", not of "${trustDomainId(trustDomain)}"`;
    throw refused("bundle_trust_domain_foreign", state);
  });
}

function authorityOf(entry: Entry): readonly JwtAuthority[] {
  const { kid, kty, crv } = entry;
  if (typeof kid !== "string" || kid === "" || kid.length > keyIdCharactersMax) {
    throw malformed("a key for tokens has no name, or one that is too long");
  }
  if (kty !== "EC" || crv !== "P-256") return [];
  try {
    const key = createPublicKey({ key: { ...entry }, format: "jwk" });
    return [{ keyId: kid, publicKey: new Uint8Array(key.export({ type: "spki", format: "der" })) }];
  } catch {
    throw malformed(`key "${kid}" is no key`);
  }
}

function countOf(value: unknown, name: string): number | null {
  if (value === undefined) return null;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw malformed(`"${name}" is no count`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("it is no JSON");
  }
}

function objectOf(value: unknown, what: string): Entry {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Entry;
  throw malformed(`${what} is no JSON object`);
}

function malformed(state: string): IdentityError {
  return refused("bundle_malformed", state);
}

function refused(code: IdentityErrorCode, state: string): IdentityError {
  return new IdentityError(code, `Cannot accept bundle: ${state}`);
}
