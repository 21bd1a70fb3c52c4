// A root and an intermediate: four PEM files that only their owner can read, made once and kept. For
// development on the machine itself; for a real mesh on one that is never connected.
import { createPublicKey, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Authority, AuthorityKeys } from "#/ca/authority-certificate.ts";
import { readAuthority, writeAuthority } from "#/ca/authority-pem.ts";
import { keysOf, makeIntermediate, makeRoot } from "#/ca/mesh-authorities.ts";
import { extensionOf, readCertificate } from "#/identity/certificate.ts";
import { readNameConstraints } from "#/identity/extensions.ts";
import { oid } from "#/identity/object-identifiers.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import type { Clock } from "#/lib/clock.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";

class CertsDevError extends MeshError<"certificates_unusable" | "directory_unusable"> {}

/** An intermediate with less than this left is made anew. */
const intermediateLeftMinMs: number = 30 * 86_400_000;

export interface MakeOptions {
  readonly clock?: Clock;
  /** Of a root that is made now; an intermediate's is its root's. */
  readonly keys?: AuthorityKeys;
  /** Makes everything anew, also a root that others trust already. */
  readonly force?: boolean;
}

export interface DevelopmentCertificates {
  readonly root: Authority;
  readonly intermediate: Authority;
  /** What was made now; the rest was there. */
  readonly made: readonly ("root" | "intermediate")[];
}

/**
 * Sees that `directory` holds root.crt, root.key, intermediate.crt and intermediate.key (0600, the
 * directory 0700) that belong together and are valid. Rejects with CertsDevError when what is there
 * cannot be used: it never replaces a root by itself.
 */
export async function ensureDevelopmentCertificates(
  directory: string,
  trustDomain: TrustDomain,
  options: MakeOptions = {},
): Promise<DevelopmentCertificates> {
  const now = (options.clock ?? systemClock).now();
  const force = options.force === true;
  prepare(directory);
  const kept = force ? null : readPair(directory, "root");
  if (kept !== null && readCertificate(kept.certificate).notAfter <= now) {
    throw unusable(directory, "the root has expired");
  }
  if (kept !== null && options.keys !== undefined && keysOf(kept) !== options.keys) {
    throw unusable(directory, `the root's key is of ${keysOf(kept)}, not of ${options.keys}`);
  }
  const root = kept ?? (await makeRoot(trustDomain, now, options.keys));
  const old = kept === null ? null : readPair(directory, "intermediate");
  if (kept !== null && old !== null && isUsable(old, kept, trustDomain, now)) {
    return { root, intermediate: old, made: [] };
  }
  const intermediate = await makeIntermediate(root, trustDomain, now);
  // A run that ends between the two is completed by the next one.
  if (kept === null) writePair(directory, "root", root);
  writePair(directory, "intermediate", intermediate);
  return { root, intermediate, made: kept === null ? ["root", "intermediate"] : ["intermediate"] };
}

function prepare(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
  } catch (thrown) {
    throw new CertsDevError(
      "directory_unusable",
      `Cannot use "${directory}": ${messageOf(thrown)}`,
      { cause: thrown, next: "Name a directory that you may write to" },
    );
  }
}

/** null when neither file is there. */
function readPair(directory: string, name: "root" | "intermediate"): Authority | null {
  const files = filesOf(directory, name);
  const there = [files.certificate, files.privateKey].filter((file) => existsSync(file));
  if (there.length === 0) return null;
  if (there.length === 1) throw unusable(directory, `only "${there[0]}" is there`);
  try {
    for (const file of there) chmodSync(file, 0o600);
    return readAuthority(
      readFileSync(files.certificate, "utf8"),
      readFileSync(files.privateKey, "utf8"),
    );
  } catch (thrown) {
    throw unusable(directory, `${name}: ${messageOf(thrown)}`);
  }
}

/** Signed by this root's key (another root of ours has the same name), and for this trust domain. */
function isUsable(
  intermediate: Authority,
  root: Authority,
  trustDomain: TrustDomain,
  now: number,
): boolean {
  const signer = createPublicKey(root.privateKey);
  if (!new X509Certificate(intermediate.certificate).verify(signer)) return false;
  const certificate = readCertificate(intermediate.certificate);
  if (certificate.notAfter - now < intermediateLeftMinMs) return false;
  const constraints = extensionOf(certificate, oid.nameConstraints);
  if (constraints === null) return false;
  return readNameConstraints(constraints.value).permitted.some(
    ({ kind, value }) => kind === "uri" && value === trustDomain,
  );
}

function writePair(directory: string, name: "root" | "intermediate", authority: Authority): void {
  const files = filesOf(directory, name);
  const { certificate, privateKey } = writeAuthority(authority);
  writeWhole(files.privateKey, privateKey);
  writeWhole(files.certificate, certificate);
}

/** Either the old or the new content is there, never a part, and never readable for others. */
function writeWhole(file: string, text: string): void {
  const partial = `${file}.partial`;
  writeFileSync(partial, text, { mode: 0o600 });
  chmodSync(partial, 0o600);
  renameSync(partial, file);
}

function filesOf(directory: string, name: string) {
  return {
    certificate: path.join(directory, `${name}.crt`),
    privateKey: path.join(directory, `${name}.key`),
  };
}

function unusable(directory: string, state: string): CertsDevError {
  return new CertsDevError("certificates_unusable", `Cannot use "${directory}": ${state}`, {
    next: "Look at the files; with --force all are made anew, and nothing issued before is trusted",
  });
}
