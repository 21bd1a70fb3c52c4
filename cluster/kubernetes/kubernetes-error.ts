// What the API server does to us, as a closed union: callers decide by the code what to do next.
import { MeshError } from "#/lib/errors.ts";

/**
 * not_found: no such object or kind. expired: the asked version is no longer kept. denied: not allowed.
 * conflict: somebody else was quicker. rejected: it will not take this. unavailable: try again later.
 * unreadable: its answer is none of what was expected. misconfigured: it cannot even be asked.
 */
export type KubernetesErrorCode =
  | "not_found"
  | "expired"
  | "denied"
  | "conflict"
  | "rejected"
  | "unavailable"
  | "unreadable"
  | "misconfigured";

export class KubernetesError extends MeshError<KubernetesErrorCode> {}

/** Of an answer's message; the rest says no more. */
const messageCharactersMax = 300;

/** What an answer that is not a success means. `body` is a Status, or anything a proxy in between says. */
export function failureOf(what: string, status: number, body: unknown): KubernetesError {
  const told = (body ?? {}) as StatusBody;
  const message = typeof told.message === "string" ? told.message : "";
  const state = `${status}${message === "" ? "" : `: ${message.slice(0, messageCharactersMax)}`}`;
  const code = codeOf(status, told);
  return new KubernetesError(code, `Cannot ${what}: the API server answers ${state}`, {
    next: nextSteps[code],
  });
}

interface StatusBody {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly details?: { readonly causes?: readonly { readonly reason?: unknown }[] | null } | null;
}

function codeOf(status: number, { reason, details }: StatusBody): KubernetesErrorCode {
  // After its store was restored from a copy it knows fewer versions than we have seen.
  const causes = Array.isArray(details?.causes) ? details.causes : [];
  if (causes.some((cause) => cause?.reason === "ResourceVersionTooLarge")) return "expired";
  if (reason === "Expired" || reason === "Gone") return "expired";
  switch (status) {
    case 401:
    case 403:
      return "denied";
    case 404:
      return "not_found";
    case 409:
      return "conflict";
    case 410:
      return "expired";
    case 408:
    case 429:
      return "unavailable";
    default:
      return status >= 500 ? "unavailable" : "rejected";
  }
}

const nextSteps: Readonly<Record<KubernetesErrorCode, string>> = {
  not_found: "Install the mesh's custom resources",
  expired: "",
  denied: "Apply the mesh's roles and bindings again; the message names what is not allowed",
  conflict: "",
  rejected: "See that the cluster's version is supported",
  unavailable: "Nothing: it is tried again, and what is known stays in force",
  unreadable: "See that nothing stands between the mesh and the API server",
  misconfigured: "Run in a pod with a service account, or set KUBECONFIG",
};
