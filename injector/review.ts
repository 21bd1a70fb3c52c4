// The form in which an API server asks and is answered: admission.k8s.io/v1. Pure; a body that is none
// of this is refused whole, with the reason.
import { z } from "#/lib/config.ts";
import { MeshError } from "#/lib/errors.ts";
import type { JsonPatch } from "./apply-patch.ts";

/** An API server asks with nothing longer than its own limit for requests, twice (old and new object). */
export const reviewBytesMax: number = 7 * 1024 * 1024;
/** RFC 7234 warnings: API servers cut longer ones. */
const warningCharactersMax = 256;
const warningsMax = 16;

export class ReviewError extends MeshError<"review_invalid"> {}

export interface Review {
  readonly uid: string;
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  /** Empty, or a part of the pod, as "ephemeralcontainers". */
  readonly subresource: string;
  readonly namespace: string;
  readonly object: unknown;
  /** null for what is new. */
  readonly oldObject: unknown;
}

export interface Answer {
  readonly allowed: boolean;
  /** For a person, when it is not allowed. */
  readonly message?: string;
  readonly patch?: JsonPatch;
  readonly warnings?: readonly string[];
  /** Stands in the API server's audit log. */
  readonly audit?: Readonly<Record<string, string>>;
}

const shape = z.object({
  apiVersion: z.literal("admission.k8s.io/v1"),
  kind: z.literal("AdmissionReview"),
  request: z.object({
    uid: z.string().min(1).max(128),
    operation: z.enum(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
    subResource: z.string().max(64).optional(),
    namespace: z.string().max(253).default(""),
    object: z.unknown().optional(),
    oldObject: z.unknown().optional(),
  }),
});

/** Throws ReviewError for what is no AdmissionReview. */
export function readReview(body: string): Review {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new ReviewError("review_invalid", "Cannot read review: it is not JSON", { cause });
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const state = `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`;
    throw new ReviewError("review_invalid", `Cannot read review: ${state}`, {
      next: "Only an API server calls this, with an AdmissionReview of admission.k8s.io/v1",
    });
  }
  const { uid, operation, subResource, namespace, object, oldObject } = parsed.data.request;
  return {
    uid,
    operation,
    subresource: subResource ?? "",
    namespace,
    object,
    oldObject: oldObject ?? null,
  };
}

/** The text of the answer to the review `uid`. */
export function writeAnswer(uid: string, answer: Answer): string {
  const { allowed, message, patch, warnings = [], audit } = answer;
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: {
      uid,
      allowed,
      ...(message === undefined ? {} : { status: { code: 403, reason: "Forbidden", message } }),
      ...(patch === undefined
        ? {}
        : {
            patchType: "JSONPatch",
            patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
          }),
      ...(warnings.length === 0 ? {} : { warnings: warnings.slice(0, warningsMax).map(cut) }),
      ...(audit === undefined ? {} : { auditAnnotations: audit }),
    },
  });
}

function cut(text: string): string {
  return text.length <= warningCharactersMax
    ? text
    : `${text.slice(0, warningCharactersMax - 3)}...`;
}
