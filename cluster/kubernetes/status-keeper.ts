// Tells whoever wrote an object, in its status, what the mesh makes of it. Follows one kind, remembers of
// each object what its verdict needs, and writes what does not stand there yet. Only the holder of the
// lease writes, and only once the world was listed: a verdict about half a world would be wrong.
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { ApiRequest } from "./client.ts";
import { KubernetesError } from "./kubernetes-error.ts";
import { Pass } from "./pass.ts";
import type { RawObject } from "./reflection.ts";
import type { KubernetesParts } from "./reflector.ts";
import { reflect, tellLoss } from "./reflector.ts";
import type { Writer } from "./writer.ts";

/** Of the status subresource. */
export type StatusPatch = Required<Pick<ApiRequest, "query" | "contentType" | "body">>;

export interface StatusParts extends KubernetesParts {
  readonly writer: Writer;
  readonly log: Log;
  /** Whether the world was listed. */
  readonly isReady: () => boolean;
}

export interface StatusKeeperOptions<Kept> extends StatusParts {
  /** "group/version" and plural name. */
  readonly groupVersion: string;
  readonly resource: string;
  /** What is remembered of an object. */
  readonly keep: (object: RawObject) => Kept;
  /** What is to be written; null when it stands there already. */
  readonly due: (key: string, kept: Kept, now: number) => StatusPatch | null;
}

export interface StatusKeeper extends AsyncDisposable {
  /** Verdicts may have changed though their objects did not. */
  request(): void;
}

interface Entry<Kept> {
  readonly kept: Kept;
  /** Written for this very version of the object, as JSON; its echo is still to come. */
  written: string;
}

/** Writes until disposed of. */
export function keepStatus<Kept>(options: StatusKeeperOptions<Kept>): StatusKeeper {
  const { writer, clock, log, groupVersion, resource, isReady, keep, due } = options;
  const path = `/apis/${groupVersion}/${resource}`;
  const entries = new Map<string, Entry<Kept>>();
  const run = async (): Promise<void> => {
    let failure: unknown = null;
    for (const [key, entry] of entries) {
      if (!writer.isHeld.get() || !isReady()) return;
      const patch = due(key, entry.kept, clock.now());
      if (patch === null) continue;
      const text = JSON.stringify(patch);
      if (entry.written === text) continue;
      try {
        await put(options, key, patch);
      } catch (thrown) {
        // A server that is away is away for all of them; one that refuses refuses this one.
        if (thrown instanceof KubernetesError && thrown.code === "unavailable") throw thrown;
        if (!isSettled(thrown)) {
          failure ??= thrown;
          continue;
        }
        log.debug("status not written", { key, reason: messageOf(thrown) });
      }
      entry.written = text;
    }
    if (failure !== null) throw failure;
  };
  const stack = new AsyncDisposableStack();
  const pass = stack.use(new Pass({ ...options, name: `writing status of ${resource}`, run }));
  stack.use(
    reflect({
      ...options,
      path,
      onChange: (change) => {
        if (change.type === "applied") {
          entries.set(change.key, { kept: keep(change.object), written: "" });
        } else entries.delete(change.key);
        pass.request();
      },
      onState: tellLoss(log, path),
    }),
  );
  stack.defer(writer.isHeld.onChange(() => pass.request()));
  return {
    request: () => pass.request(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function put<Kept>(
  { client, groupVersion, resource }: StatusKeeperOptions<Kept>,
  key: string,
  patch: StatusPatch,
): Promise<void> {
  const [name = "", namespace] = key.split("/").toReversed();
  const place = namespace === undefined ? "" : `/namespaces/${namespace}`;
  const path = `/apis/${groupVersion}${place}/${resource}/${name}/status`;
  await client.call({ method: "PATCH", path, ...patch });
}

/** Deleted or changed meanwhile, of which we hear; or a resource without a status, which stays one. */
function isSettled(thrown: unknown): boolean {
  if (!(thrown instanceof KubernetesError)) return false;
  return thrown.code === "not_found" || thrown.code === "conflict";
}
