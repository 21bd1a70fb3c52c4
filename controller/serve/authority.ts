// What the read API says of the authorities: what is trusted, what issuers hang from, and how far a
// rotation has come. No key is known here.
import type { AuthorityRecord } from "#/ca/rotation/record.ts";
import { inForce } from "#/ca/rotation/rotation.ts";
import { fingerprint, parsePem } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import type { AdminRoute } from "#/lib/admin.ts";
import { json } from "#/lib/admin.ts";
import type { RotationView } from "../rotation/driver.ts";
import type { Trust } from "../trust.ts";
import { badRequest } from "./answers.ts";

export interface AuthorityRouteOptions {
  readonly trust: () => Trust;
  /** What is stored now; the trust of this controller may be behind it. */
  readonly record: () => AuthorityRecord;
  readonly rotation: () => RotationView;
  /** Of this replica. */
  readonly pod: string;
}

export function authorityRoutes(
  options: AuthorityRouteOptions,
): Readonly<Record<string, AdminRoute>> {
  return {
    "/v1/authority": (url) => {
      const [unknown] = url.searchParams.keys();
      if (unknown !== undefined)
        return badRequest(`parameter "${unknown.slice(0, 80)}" is unknown`);
      return json(authorityView(options));
    },
  };
}

function authorityView({ trust, record, rotation, pod }: AuthorityRouteOptions): object {
  const { stored, bundle, authority, notBefore, notAfter } = trust();
  const { isDriver, waiting, refusal, fault } = rotation();
  const now = record();
  return {
    pod,
    isDriver,
    custody: stored.custody,
    place: stored.place,
    hasRootKey: now.rootKey !== null,
    areKeysWrapped: stored.isSealed,
    roots: bundle.roots.map(certificateView),
    intermediate: {
      fingerprint: authority,
      notBefore: new Date(notBefore).toISOString(),
      notAfter: new Date(notAfter).toISOString(),
    },
    rotation: now.rotation === null ? null : rotationView(now, waiting),
    last: now.last === null ? null : timesOf(now.last),
    pending: now.pending?.request ?? null,
    refusal,
    fault,
  };
}

function rotationView(record: AuthorityRecord, waiting: RotationView["waiting"]): object | null {
  const { rotation } = record;
  if (rotation === null) return null;
  const { other, ...rest } = rotation;
  const before = rest.step === "staged";
  const [present, next] = before ? [inForce(record), other] : [other, inForce(record)];
  const ofKind = rest.of;
  return {
    ...timesOf(rest),
    from: pemFingerprint(present[ofKind].certificate),
    to: pemFingerprint(next[ofKind].certificate),
    waiting: waiting.map(({ since, ...laggard }) => ({
      ...laggard,
      since: since === null ? null : new Date(since).toISOString(),
    })),
  };
}

const timeNames: ReadonlySet<string> = new Set(["startedAt", "finishedAt", "since"]);

/** Times as texts. */
function timesOf(value: object): object {
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      timeNames.has(name) ? new Date(each as number).toISOString() : (each as unknown),
    ]),
  );
}

function pemFingerprint(pem: string): string {
  return parsePem(pem).map(fingerprint).join();
}

function certificateView(der: Uint8Array): object {
  const view = { fingerprint: fingerprint(der) };
  try {
    const { notBefore, notAfter } = readCertificate(der);
    return {
      ...view,
      notBefore: new Date(notBefore).toISOString(),
      notAfter: new Date(notAfter).toISOString(),
    };
  } catch {
    // A root of another make: it is trusted, and what it says cannot be told.
    return { ...view, notBefore: null, notAfter: null };
  }
}
