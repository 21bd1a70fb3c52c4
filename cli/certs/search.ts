// Finds certificates in the logs by what a person has in hand: a serial number, a fingerprint, an identity
// or a pod. What the read API can look up is asked for; the rest is searched through, newest first.
import { fingerprint } from "#/identity/bundle.ts";
import { readIdentity } from "../identity/suspension.ts";
import { readIssued } from "../issued.ts";
import type { IssuedCertificate } from "../issued.ts";
import { MeshAccessError } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";

/** Hex of up to 20 bytes, with or without colons; shorter ones are names of pods. */
export const serialForm: RegExp = /^(?:[0-9a-f]{16,40}|(?:[0-9a-f]{2}:){7,19}[0-9a-f]{2})$/i;
const fingerprintForm = /^(?:SHA-?256[:=])?(?:[0-9a-f]{64}|(?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i;
/** Of one answer, by the read API. */
const pageEntries = 1_000;
/** Further back nobody is taken. */
const pagesMax = 200;

export type Sought =
  | { readonly kind: "serial"; readonly serial: string }
  /** SHA-256 of the certificate or of its public key, hex. */
  | { readonly kind: "fingerprint"; readonly fingerprint: string }
  | { readonly kind: "identity"; readonly id: string; readonly namespace: string };

/** Throws MeshAccessError that says what would do. */
export function readSought(text: string, trustDomain: string): Sought {
  if (fingerprintForm.test(text)) {
    const hex = text.replace(/^SHA-?256[:=]/i, "").replaceAll(":", "");
    return { kind: "fingerprint", fingerprint: hex.toLowerCase() };
  }
  if (serialForm.test(text)) {
    return { kind: "serial", serial: text.replaceAll(":", "").toLowerCase() };
  }
  const id = readIdentity(text, trustDomain);
  return { kind: "identity", id, namespace: /\/ns\/([^/]+)\//.exec(id)?.[1] ?? "" };
}

/** Newest first. `limit`: no more than so many. */
export async function searchIssued(
  mesh: Mesh,
  sought: Sought,
  limit: number,
): Promise<readonly IssuedCertificate[]> {
  switch (sought.kind) {
    case "serial": {
      const query = new URLSearchParams({ serial: sought.serial }).toString();
      const found = (await mesh.inspect(`/v1/certificates?${query}`)).flatMap(readIssued);
      return found.filter(({ serial }) => serial === sought.serial).slice(0, limit);
    }
    case "fingerprint":
      return pageThrough(mesh, {}, 1, (each) => hasFingerprint(each, sought.fingerprint));
    case "identity": {
      const { namespace, id } = sought;
      return pageThrough(
        mesh,
        namespace === "" ? {} : { namespace },
        limit,
        (each) => each.id === id,
      );
    }
    default:
      return sought satisfies never;
  }
}

function hasFingerprint(
  { chain: [leaf], keyFingerprint }: IssuedCertificate,
  hex: string,
): boolean {
  return keyFingerprint === hex || (leaf !== undefined && fingerprint(leaf) === hex);
}

/**
 * Each log has positions of its own, and all of them are asked the same: the window goes down over all of
 * them together, and what a shorter log answers twice counts once.
 */
async function pageThrough(
  mesh: Mesh,
  filter: Readonly<Record<string, string>>,
  limit: number,
  isSought: (each: IssuedCertificate) => boolean,
): Promise<readonly IssuedCertificate[]> {
  const found = new Map<string, IssuedCertificate>();
  let before: number | null = null;
  for (let page = 0; page < pagesMax && found.size < limit; page += 1) {
    const query: URLSearchParams = new URLSearchParams({
      ...filter,
      ...(before === null ? {} : { before: String(before) }),
    });
    const answers: readonly unknown[] = await mesh.inspect(`/v1/certificates?${query.toString()}`);
    const logs = answers.map(readIssued);
    for (const each of logs.flat()) if (isSought(each)) found.set(each.serial, each);
    before = (before ?? Math.max(0, ...answers.map(totalOf))) - pageEntries;
    // A log that answers with less than a whole page has no more of it.
    if (before <= 0 || logs.every((all) => all.length < pageEntries)) break;
  }
  return [...found.values()].sort((one, other) => other.issuedAt - one.issuedAt).slice(0, limit);
}

function totalOf(answer: unknown): number {
  const { total } = (answer ?? {}) as { readonly total?: unknown };
  if (typeof total === "number") return total;
  throw new MeshAccessError("unreadable", "Cannot read the issued certificates: no total", {
    next: "Command line and mesh may be of different versions: compare with signet version",
  });
}
