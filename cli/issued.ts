// What the controller's read API says of issued certificates, taken apart carefully: it is another
// process's answer. Pure.
import { parsePem } from "#/identity/bundle.ts";
import { MeshAccessError } from "./mesh.ts";

export interface IssuedCertificate {
  /** Position in the issuer's log. */
  readonly logIndex: number | null;
  readonly id: string;
  readonly namespace: string;
  readonly pod: string;
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Lower-case hex. */
  readonly serial: string;
  readonly issuerSerial: string;
  /** Who asked; what the log does not say is empty. */
  readonly serviceAccount: string;
  readonly podUid: string;
  /** Where the pod ran. */
  readonly node: string;
  /** What it is for, who vouched for whoever asked, and who chose its life. */
  readonly policy: string;
  readonly address: string;
  /** SHA-256 of the identifier of the token that proved it, hex. */
  readonly tokenHash: string;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly keyFingerprint: string;
  /** The controller whose log has it; empty when it does not say. */
  readonly log: string;
  /** DER, leaf first, as far as it is known. */
  readonly chain: readonly Uint8Array[];
}

type Record_ = Readonly<Record<string, unknown>>;

/**
 * The answer of /v1/certificates: {"certificates": [{index, id, namespace, pod, issuedAt, notBefore,
 * notAfter, serial, issuerSerial, chain: [base64 DER, leaf first]}]}. Throws MeshAccessError.
 */
export function readIssued(answer: unknown): readonly IssuedCertificate[] {
  const list = Array.isArray(answer) ? answer : field(answer, "certificates");
  if (!Array.isArray(list)) throw unreadable("no list of certificates");
  const pod = field(answer, "pod");
  const log = typeof pod === "string" ? pod : "";
  return list.map((each: unknown, index) => {
    if (typeof each !== "object" || each === null) throw unreadable(`entry ${index} is no object`);
    return readOne(each as Record_, index, log);
  });
}

function readOne(record: Record_, index: number, log: string): IssuedCertificate {
  const text = (name: string): string => {
    const value = record[name];
    if (typeof value !== "string") throw unreadable(`entry ${index} has no "${name}"`);
    return value;
  };
  const time = (name: string): number => {
    const value = record[name];
    const ms = typeof value === "string" ? Date.parse(value) : value;
    if (typeof ms !== "number" || !Number.isFinite(ms)) {
      throw unreadable(`entry ${index} has no time "${name}"`);
    }
    return ms;
  };
  const told = (name: string): string => {
    const value = record[name];
    return typeof value === "string" ? value : "";
  };
  const position = record["index"] ?? record["logIndex"];
  return {
    logIndex: typeof position === "number" ? position : null,
    id: text("id"),
    namespace: text("namespace"),
    pod: text("pod"),
    issuedAt: time("issuedAt"),
    notBefore: time("notBefore"),
    notAfter: time("notAfter"),
    serial: text("serial"),
    issuerSerial: text("issuerSerial"),
    serviceAccount: told("serviceAccount"),
    podUid: told("podUid"),
    node: told("node"),
    policy: told("policy"),
    address: told("address"),
    tokenHash: told("tokenHash"),
    keyFingerprint: told("keyFingerprint"),
    log,
    chain: readChain(record, index),
  };
}

function readChain(record: Record_, index: number): readonly Uint8Array[] {
  const chain = record["chain"] ?? record["certificate"];
  const parts = Array.isArray(chain) ? chain : chain === undefined ? [] : [chain];
  return parts.flatMap((part: unknown) => {
    if (typeof part !== "string") throw unreadable(`entry ${index} has a chain of another form`);
    if (part.includes("-----BEGIN")) return parsePem(part);
    return [new Uint8Array(Buffer.from(part, "base64"))];
  });
}

/** The newest certificate of each pod, in the order of pods. */
export function newestByPod(all: readonly IssuedCertificate[]): readonly IssuedCertificate[] {
  const newest = new Map<string, IssuedCertificate>();
  for (const each of all) {
    const key = `${each.namespace}/${each.pod}`;
    const known = newest.get(key);
    if (known === undefined || isNewer(each, known)) newest.set(key, each);
  }
  return [...newest].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, each]) => each);
}

function isNewer(one: IssuedCertificate, other: IssuedCertificate): boolean {
  if (one.issuedAt !== other.issuedAt) return one.issuedAt > other.issuedAt;
  return (one.logIndex ?? -1) > (other.logIndex ?? -1);
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record_)[name] : undefined;
}

function unreadable(state: string): MeshAccessError {
  return new MeshAccessError("unreadable", `Cannot read the issued certificates: ${state}`, {
    next: "Command line and mesh may be of different versions: compare with signet version",
  });
}
