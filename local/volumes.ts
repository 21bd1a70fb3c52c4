// What a pod mounts, made as folders below its state: projected tokens (signed here, replaced in time),
// ConfigMaps, empty folders, and folders of the host for the mesh's own controller.
import { chownSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Clock } from "#/lib/clock.ts";
import { LocalError, keyFor } from "./objects.ts";
import type { KubernetesObject } from "./objects.ts";
import type { Store } from "./store.ts";
import type { TokenClaims, TokenSigner } from "./tokens.ts";

/** A token is replaced when so much of its life is over. */
const refreshShare = 0.8;
/** Kubernetes allows no shorter ones. */
const tokenLifetimeSecondsMin = 600;

interface RawVolume {
  readonly name: string;
  readonly emptyDir?: unknown;
  readonly configMap?: { readonly name: string };
  readonly hostPath?: { readonly path: string };
  readonly projected?: { readonly sources?: readonly RawSource[] };
}

interface RawSource {
  readonly serviceAccountToken?: {
    readonly audience?: string;
    readonly expirationSeconds?: number;
    readonly path: string;
  };
}

export interface VolumeContext {
  readonly store: Store;
  readonly signer: TokenSigner;
  readonly clock: Clock;
  readonly directory: string;
  /** May read the volumes: the user of the container that mounts a token. */
  readonly owner: (volume: string) => { readonly uid: number; readonly gid: number };
  readonly identity: Omit<TokenClaims, "audience" | "lifetimeSeconds">;
}

export interface Volumes {
  /** Folder of the host by volume name. */
  readonly folders: ReadonlyMap<string, string>;
  stop(): void;
}

export async function makeVolumes(pod: KubernetesObject, context: VolumeContext): Promise<Volumes> {
  const folders = new Map<string, string>();
  const cancels: (() => void)[] = [];
  for (const volume of (pod.spec?.["volumes"] ?? []) as RawVolume[]) {
    if (volume.hostPath !== undefined) {
      folders.set(volume.name, volume.hostPath.path);
      continue;
    }
    const folder = path.join(context.directory, volume.name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const { uid, gid } = context.owner(volume.name);
    chownSync(folder, uid, gid);
    folders.set(volume.name, folder);
    if (volume.configMap !== undefined) writeConfigMap(folder, volume.configMap.name, pod, context);
    for (const source of volume.projected?.sources ?? []) {
      cancels.push(await keepToken(folder, source, { uid, gid }, context));
    }
  }
  return {
    folders,
    stop() {
      for (const cancel of cancels) cancel();
      rmSync(context.directory, { recursive: true, force: true });
    },
  };
}

function writeConfigMap(
  folder: string,
  name: string,
  pod: KubernetesObject,
  { store }: VolumeContext,
): void {
  const map = store.get(keyFor("ConfigMap", pod.metadata.namespace ?? "", name));
  if (map === undefined) {
    throw new LocalError(
      "not_found",
      `Cannot mount ConfigMap "${name}": there is none in the namespace`,
    );
  }
  for (const [file, text] of Object.entries((map["data"] ?? {}) as Record<string, string>)) {
    writeFileSync(path.join(folder, path.basename(file)), text, { mode: 0o644 });
  }
}

async function keepToken(
  folder: string,
  source: RawSource,
  owner: { readonly uid: number; readonly gid: number },
  context: VolumeContext,
): Promise<() => void> {
  const token = source.serviceAccountToken;
  if (token === undefined) {
    throw new LocalError("not_possible_here", "Cannot project a source that is no token");
  }
  const lifetimeSeconds = Math.max(tokenLifetimeSecondsMin, token.expirationSeconds ?? 3600);
  const file = path.join(folder, path.basename(token.path));
  const audience = token.audience ?? "https://kubernetes.default.svc";
  let cancel = (): void => {};
  let stopped = false;
  const refresh = async (): Promise<void> => {
    const text = await context.signer.sign({ ...context.identity, audience, lifetimeSeconds });
    if (stopped) return;
    // A reader sees the old one or the new one, never half of one.
    writeFileSync(`${file}.next`, text, { mode: 0o400 });
    chownSync(`${file}.next`, owner.uid, owner.gid);
    renameSync(`${file}.next`, file);
    cancel = context.clock.after(lifetimeSeconds * refreshShare * 1000, () => {
      refresh().catch(() => {});
    });
  };
  await refresh();
  return () => {
    stopped = true;
    cancel();
  };
}
