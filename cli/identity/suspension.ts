// IdentitySuspensions as `signet identity` writes and reads them, and the words by which people name an
// identity. Pure.
import { createHash } from "node:crypto";
import { judgeSuspension } from "#/api/suspension.ts";
import { parseSpiffeId, parseTrustDomain, partsOf, workloadId } from "#/identity/spiffe-id.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";
import { MeshAccessError } from "../mesh.ts";
import type { KubernetesObject, Pod } from "../mesh.ts";

export const suspensionKind = "IdentitySuspension";
const API_VERSION = "signet.dev/v1alpha1";
/** Of an object's name, by Kubernetes. */
const NAME_CHARACTERS_MAX = 253;
const REASON_CHARACTERS_MAX = 1024;

export interface Suspension {
  readonly name: string;
  readonly identity: string;
  readonly reason: string;
  /** Milliseconds since the Unix epoch; null when it is not told. */
  readonly since: number | null;
  readonly object: KubernetesObject;
}

/** What the mesh would certify a pod as. */
export function identityOf(trustDomain: string, pod: Pod): SpiffeId {
  return workloadId(parseTrustDomain(trustDomain), pod.namespace, pod.serviceAccount);
}

/** "app-b/app-b" or the whole SPIFFE ID. Throws MeshAccessError that says how it is written. */
export function readIdentity(text: string, trustDomain: string): SpiffeId {
  try {
    if (text.startsWith("spiffe://")) return parseSpiffeId(text);
    const [namespace = "", account = "", ...more] = text.split("/");
    if (more.length > 0) throw new Error("it has too many parts");
    return workloadId(parseTrustDomain(trustDomain), namespace, account);
  } catch (cause) {
    throw new MeshAccessError(
      "not_found",
      `Cannot tell whom "${text}" means: ${messageOf(cause)}`,
      {
        cause,
        next: "Name a namespace/service-account of: signet identity list",
      },
    );
  }
}

/** The object that suspends it. Throws MeshAccessError for the mesh's own, and without a reason. */
export function suspensionOf(id: SpiffeId, reason: string): KubernetesObject {
  const verdict = judgeSuspension(id);
  if (verdict.kind === "refused") {
    throw new MeshAccessError("failed", `Cannot suspend an identity: ${verdict.fault}`, {
      next: "To stop the mesh itself, uninstall it: signet uninstall",
    });
  }
  const words = reason.trim();
  if (words === "" || words.length > REASON_CHARACTERS_MAX) {
    const state = words === "" ? "no reason is given" : `its reason has ${words.length} characters`;
    throw new MeshAccessError("failed", `Cannot suspend "${id}": ${state}`, {
      next: `Say why, in up to ${REASON_CHARACTERS_MAX} characters: --reason "..."`,
    });
  }
  return {
    apiVersion: API_VERSION,
    kind: suspensionKind,
    metadata: { name: nameFor(id) },
    spec: { identity: id, reason: words },
  };
}

/** Always the same name for an identity: to suspend it twice changes the reason and nothing else. */
function nameFor(id: SpiffeId): string {
  const readable = readableName(id);
  if (readable !== null && readable.length <= NAME_CHARACTERS_MAX) return readable;
  return `identity-${createHash("sha256").update(id).digest("hex").slice(0, 32)}`;
}

function readableName(id: SpiffeId): string | null {
  try {
    const { trustDomain, namespace, serviceAccount } = partsOf(id);
    return `${namespace}.${serviceAccount}.${trustDomain}`.replaceAll("_", "-");
  } catch {
    return null;
  }
}

/** Those of which the identity can be told; others suspend nobody. */
export function readSuspensions(objects: readonly KubernetesObject[]): readonly Suspension[] {
  return objects.flatMap((object) => {
    const { identity, reason } = (object["spec"] ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof identity !== "string") return [];
    const { name, creationTimestamp } = object.metadata as KubernetesObject["metadata"] & {
      readonly creationTimestamp?: unknown;
    };
    const since = Date.parse(String(creationTimestamp));
    return [
      {
        name,
        identity,
        reason: typeof reason === "string" ? reason : "",
        since: Number.isNaN(since) ? null : since,
        object,
      },
    ];
  });
}

/** What one controller answers on /v1/suspensions. */
export interface Knowledge {
  readonly suspended: ReadonlySet<string>;
  /** "namespace/name" of the pods whose sidecars have said that they know all of it. */
  readonly told: ReadonlySet<string>;
}

/** Throws MeshAccessError. */
export function readKnowledge(answer: unknown): Knowledge {
  const { suspensions, told } = (answer ?? {}) as Readonly<Record<string, unknown>>;
  if (!Array.isArray(suspensions) || !Array.isArray(told)) {
    throw new MeshAccessError("unreadable", "Cannot read what the controller says of suspensions", {
      next: "Command line and mesh may be of different versions: compare with signet version",
    });
  }
  return {
    suspended: new Set(
      suspensions.map((each) => String((each as { readonly identity?: unknown }).identity)),
    ),
    told: new Set(told.map(String)),
  };
}

/** Sidecars that no controller has heard of it from. `pods`: those that are to know. */
export function untold(
  knowledge: readonly Knowledge[],
  pods: readonly string[],
  isAsMeant: (suspended: ReadonlySet<string>) => boolean,
): readonly string[] {
  const asMeant = knowledge.filter((each) => isAsMeant(each.suspended));
  return pods.filter((pod) => !asMeant.some(({ told }) => told.has(pod)));
}
