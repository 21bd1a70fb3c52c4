// The world from the API server: every kind that the mesh looks at, followed side by side, told as the
// events that the local runtime's socket tells. Objects become minimal records at once.
import { DecodeError } from "../decode-error.ts";
import { decodeObject } from "../decode.ts";
import type { Kind, WorldEvent } from "../events.ts";
import type { Change, RawObject } from "./reflection.ts";
import { objectsMax } from "./reflection.ts";
import type { KubernetesParts, ReflectorState } from "./reflector.ts";
import { reflect } from "./reflector.ts";

export interface WatchedKind {
  readonly kind: Kind;
  readonly apiVersion: string;
  /** Of the collection over all namespaces. */
  readonly path: string;
}

/** Policy stands first: it is asked for before what it protects. */
export const watchedKinds: readonly WatchedKind[] = [
  {
    kind: "IdentitySuspension",
    apiVersion: "signet.dev/v1alpha1",
    path: "/apis/signet.dev/v1alpha1/identitysuspensions",
  },
  {
    kind: "PeerAuthentication",
    apiVersion: "signet.dev/v1alpha1",
    path: "/apis/signet.dev/v1alpha1/peerauthentications",
  },
  {
    kind: "FederatedTrustDomain",
    apiVersion: "signet.dev/v1alpha1",
    path: "/apis/signet.dev/v1alpha1/federatedtrustdomains",
  },
  { kind: "Namespace", apiVersion: "v1", path: "/api/v1/namespaces" },
  { kind: "ServiceAccount", apiVersion: "v1", path: "/api/v1/serviceaccounts" },
  { kind: "Pod", apiVersion: "v1", path: "/api/v1/pods" },
  { kind: "Service", apiVersion: "v1", path: "/api/v1/services" },
  {
    kind: "EndpointSlice",
    apiVersion: "discovery.k8s.io/v1",
    path: "/apis/discovery.k8s.io/v1/endpointslices",
  },
  {
    kind: "HTTPRoute",
    apiVersion: "gateway.networking.k8s.io/v1",
    path: "/apis/gateway.networking.k8s.io/v1/httproutes",
  },
];

export interface KubernetesWorldOptions extends KubernetesParts {
  readonly onEvent: (event: WorldEvent) => void;
}

/**
 * Watches until disposed of. "synced" is said each time that all kinds have come to stand,
 * "disconnected" when the first of them is lost.
 */
export function watchKubernetesWorld(options: KubernetesWorldOptions): AsyncDisposable {
  const standing = new Set<Kind>();
  let isSynced = false;
  const turn = (kind: Kind, state: ReflectorState): void => {
    if (state.kind === "lost") {
      standing.delete(kind);
      const { reason } = state;
      // Before the first list, too: it says why there is none.
      options.onEvent({ type: "disconnected", reason: `${kind}: ${reason}` });
      isSynced = false;
      return;
    }
    standing.add(kind);
    if (isSynced || standing.size < watchedKinds.length) return;
    isSynced = true;
    options.onEvent({ type: "synced" });
  };
  const reflectors = watchedKinds.map((watched) =>
    reflect({
      ...options,
      path: watched.path,
      onChange: (change) => options.onEvent(toEvent(watched, change)),
      onState: (state) => turn(watched.kind, state),
    }),
  );
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(reflectors.map((each) => each[Symbol.asyncDispose]()));
    },
  };
}

/** Never throws: what cannot be read is an event, too. */
export function toEvent(watched: WatchedKind, change: Change): WorldEvent {
  const { kind } = watched;
  switch (change.type) {
    case "deleted":
      return { type: "deleted", kind, key: change.key };
    case "refused": {
      const state = `it is one more than ${objectsMax} objects`;
      return { type: "invalid", error: new DecodeError("object_invalid", kind, change.key, state) };
    }
    case "applied":
      return decoded(watched, change.key, change.object);
    default:
      return change satisfies never;
  }
}

/** What a list leaves out of its items is put back, and what cannot be told of an object's head. */
function decoded({ kind, apiVersion }: WatchedKind, key: string, object: RawObject): WorldEvent {
  try {
    return { type: "applied", object: decodeObject({ ...object, kind, apiVersion }) };
  } catch (thrown) {
    if (!(thrown instanceof DecodeError)) throw thrown;
    const error =
      thrown.key === "" ? new DecodeError("object_invalid", kind, key, thrown.state) : thrown;
    return { type: "invalid", error };
  }
}
