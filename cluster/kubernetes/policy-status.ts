// Tells the writer of a PeerAuthentication, on the object itself, whether the mesh reads it: condition
// Accepted, with what is wrong when it does not. Only the holder of the lease writes; a condition that
// says already what is to be said is left alone.
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { DecodeError } from "../decode-error.ts";
import { decodeObject } from "../decode.ts";
import { KubernetesError } from "./kubernetes-error.ts";
import { Pass } from "./pass.ts";
import type { RawObject } from "./reflection.ts";
import type { KubernetesParts } from "./reflector.ts";
import { reflect, tellLoss } from "./reflector.ts";
import { fieldManager } from "./writer.ts";
import type { Writer } from "./writer.ts";

export interface PolicyStatusOptions extends KubernetesParts {
  readonly writer: Writer;
  readonly log: Log;
}

export interface Condition {
  readonly type: "Accepted";
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

const apiVersion = "signet.dev/v1alpha1";
const kind = "PeerAuthentication";
const path = `/apis/${apiVersion}/peerauthentications`;
/** The API's own limit for a message. */
const messageCharactersMax = 32_768;

/** Writes until disposed of. */
export function writePolicyStatus(options: PolicyStatusOptions): AsyncDisposable {
  const { writer, clock, log } = options;
  /** Key -> what is still to be said. */
  const due = new Map<string, Condition>();
  const run = async (): Promise<void> => {
    for (const [key, condition] of due) {
      if (!writer.isHeld.get()) return;
      try {
        await put(options, key, condition);
      } catch (thrown) {
        if (!(thrown instanceof KubernetesError) || thrown.code !== "not_found") throw thrown;
        // Deleted meanwhile, or a resource without a status: not worth asking for again and again.
        log.debug("status not written", { key, reason: messageOf(thrown) });
      }
      if (due.get(key) === condition) due.delete(key);
    }
  };
  const stack = new AsyncDisposableStack();
  const pass = stack.use(new Pass({ ...options, name: "writing policy status", run }));
  stack.use(
    reflect({
      ...options,
      path,
      onChange: (change) => {
        const condition =
          change.type === "applied" ? conditionOf(change.object, clock.now()) : null;
        if (condition === null) due.delete(change.key);
        else due.set(change.key, condition);
        if (due.size > 0) pass.request();
      },
      onState: tellLoss(log, path),
    }),
  );
  stack.defer(writer.isHeld.onChange(() => pass.request()));
  return stack;
}

/** What is to be said of it; null when it stands there already. Pure. */
export function conditionOf(object: RawObject, now: number): Condition | null {
  const fault = faultOf(object);
  const status = fault === null ? "True" : "False";
  const reason = fault === null ? "Accepted" : "Invalid";
  const message = (fault ?? "In force").slice(0, messageCharactersMax);
  const { generation } = object.metadata;
  const observedGeneration = typeof generation === "number" ? generation : 0;
  const told = toldCondition(object);
  if (
    told?.["status"] === status &&
    told["reason"] === reason &&
    told["message"] === message &&
    told["observedGeneration"] === observedGeneration
  ) {
    return null;
  }
  const since = told?.["status"] === status ? told["lastTransitionTime"] : null;
  const lastTransitionTime =
    typeof since === "string" ? since : new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  return { type: "Accepted", status, reason, message, observedGeneration, lastTransitionTime };
}

function faultOf(object: RawObject): string | null {
  try {
    decodeObject({ ...object, apiVersion, kind });
    return null;
  } catch (thrown) {
    if (!(thrown instanceof DecodeError)) throw thrown;
    return `${thrown.message}. ${thrown.next}`;
  }
}

function toldCondition(object: RawObject): Readonly<Record<string, unknown>> | null {
  const { conditions } = (object["status"] ?? {}) as { readonly conditions?: unknown };
  if (!Array.isArray(conditions)) return null;
  const found: unknown = conditions.find(
    (each) => (each as { readonly type?: unknown } | null)?.type === "Accepted",
  );
  return (found ?? null) as Readonly<Record<string, unknown>> | null;
}

async function put(
  { client }: PolicyStatusOptions,
  key: string,
  condition: Condition,
): Promise<void> {
  const [namespace = "", name = ""] = key.split("/");
  await client.call({
    method: "PATCH",
    path: `/apis/${apiVersion}/namespaces/${namespace}/peerauthentications/${name}/status`,
    query: { fieldManager, force: "true" },
    contentType: "application/apply-patch+yaml",
    body: { apiVersion, kind, metadata: { namespace, name }, status: { conditions: [condition] } },
  });
}
