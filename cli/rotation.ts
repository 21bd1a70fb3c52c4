// A rotation of the mesh's authorities as the command line asks for it and hears of it. Asking is writing
// one ConfigMap of the mesh's own namespace, with the rights of whoever asks: the read API changes
// nothing. Pure.
import { MeshAccessError } from "./mesh.ts";
import type { KubernetesObject } from "./mesh.ts";
import { MESH_NAMESPACE } from "./policy.ts";

export type RotationKind = "root" | "intermediate";

export interface Waiting {
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
  /** ISO 8601; null: not known. */
  readonly since: string | null;
  /** Version of the bundle that it last acknowledged; null: of none, or not known. */
  readonly bundle: string | null;
}

export interface RotationProgress {
  readonly id: string;
  readonly of: RotationKind;
  readonly step: "staged" | "switched" | "retired";
  readonly isAborting: boolean;
  readonly startedAt: string;
  readonly since: string;
  /** SHA-256 of the former certificate and of the next. */
  readonly from: string;
  readonly to: string;
  readonly waiting: readonly Waiting[];
}

export interface RotationOutcome {
  readonly id: string;
  readonly of: RotationKind;
  readonly end: "rotated" | "aborted";
  readonly startedAt: string;
  readonly finishedAt: string;
}

export interface AuthorityLife {
  /** SHA-256. */
  readonly fingerprint: string;
  /** ISO 8601; null: it cannot be read. */
  readonly notBefore: string | null;
  readonly notAfter: string | null;
}

/** What the controllers know of the mesh's authorities. */
export interface AuthorityState {
  readonly custody: string;
  readonly place: string;
  readonly hasRootKey: boolean;
  /** Where they are stored. */
  readonly areKeysWrapped: boolean;
  /** The one in force first. */
  readonly roots: readonly AuthorityLife[];
  readonly intermediate: AuthorityLife;
  readonly rotation: RotationProgress | null;
  readonly last: RotationOutcome | null;
  /** PEM of the request that waits for its certificate; null: none does. */
  readonly pending: string | null;
  readonly refusal: { readonly id: string; readonly message: string; readonly next: string } | null;
  /** Why it does not go on, though nobody lags; empty: it does. */
  readonly fault: string;
  /** One of the controllers drives; false: none does now. */
  readonly isDriven: boolean;
}

/** The answers of /v1/authority: what the one that drives says, else any. Throws MeshAccessError. */
export function readAuthorityState(answers: readonly unknown[]): AuthorityState {
  const driver = answers.find((answer) => (answer as { isDriver?: unknown }).isDriver === true);
  const {
    isDriver: _isDriver,
    pod: _pod,
    ...told
  } = (driver ?? answers[0] ?? {}) as Record<string, unknown>;
  const isState =
    Array.isArray(told["roots"]) &&
    typeof told["custody"] === "string" &&
    typeof told["intermediate"] === "object" &&
    typeof told["rotation"] === "object" &&
    typeof told["last"] === "object" &&
    typeof told["refusal"] === "object" &&
    typeof told["fault"] === "string";
  if (isState) return { ...(told as unknown as AuthorityState), isDriven: driver !== undefined };
  throw new MeshAccessError(
    "unreadable",
    "Cannot read what the controllers say of the authorities",
    {
      next: "Command line and mesh may be of different versions: compare with signet version",
    },
  );
}

/** Each request has an id of its own, so that it is taken up once. */
export function rotationRequest(
  action: "rotate" | "abort" | "request" | "install",
  of: RotationKind,
  id: string,
  now: number,
  certificate?: string,
): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "signet-rotation",
      namespace: MESH_NAMESPACE,
      labels: { "app.kubernetes.io/part-of": "signet" },
    },
    data: { request: JSON.stringify({ id, at: now, action, of, certificate }) },
  };
}
