// What a pod mounts, made as folders below its state: projected tokens (signed here, replaced in time),
// ConfigMaps (followed when they change), Secrets, empty folders, and folders of the host for the
// mesh's own controller. Every file is replaced by renaming: a reader sees the old one or the new one,
// never half of one.
import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Clock } from "#/lib/clock.ts";
import { LocalError, keyFor, keyOf } from "../objects.ts";
import type { KubernetesObject } from "../objects.ts";
import type { Store } from "../store.ts";
import type { TokenClaims, TokenSigner } from "./tokens.ts";

/** A token is replaced when so much of its life is over, as kubelet does. */
export const refreshShare = 0.8;
/** Kubernetes allows no shorter ones. */
export const tokenLifetimeSecondsMin = 600;
const tokenLifetimeSecondsDefault = 3600;
/** After a refresh that failed: the old token is good for a fifth of its life still. */
const retryMs = 10_000;

interface RawVolume {
  readonly name: string;
  readonly emptyDir?: unknown;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string };
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

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface VolumeContext {
  readonly store: Store;
  readonly signer: TokenSigner;
  readonly clock: Clock;
  readonly directory: string;
  /** May read the volume: the user of the first container that mounts it. */
  readonly owner: (volume: string) => Owner;
  readonly identity: Omit<TokenClaims, "audience" | "lifetimeSeconds">;
}

export interface Volumes {
  /** Folder of the host by volume name. */
  readonly folders: ReadonlyMap<string, string>;
  /** Ends the refreshing and removes what was made. */
  readonly stop: () => void;
}

type Cancel = () => void;

/** Throws LocalError for a source that is not there, or that cannot be had without a cluster. */
export async function makeVolumes(pod: KubernetesObject, context: VolumeContext): Promise<Volumes> {
  const folders = new Map<string, string>();
  const cancels: Cancel[] = [];
  const stop = (): void => {
    for (const cancel of cancels) cancel();
    rmSync(context.directory, { recursive: true, force: true });
  };
  try {
    for (const volume of (pod.spec?.["volumes"] ?? []) as RawVolume[]) {
      if (volume.hostPath !== undefined) {
        folders.set(volume.name, volume.hostPath.path);
        continue;
      }
      const folder = path.join(context.directory, volume.name);
      const owner = context.owner(volume.name);
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      chownSync(folder, owner.uid, owner.gid);
      folders.set(volume.name, folder);
      cancels.push(...(await fill(volume, folder, owner, pod, context)));
    }
  } catch (error) {
    stop();
    throw error;
  }
  return { folders, stop };
}

async function fill(
  volume: RawVolume,
  folder: string,
  owner: Owner,
  pod: KubernetesObject,
  context: VolumeContext,
): Promise<Cancel[]> {
  const namespace = pod.metadata.namespace ?? "default";
  if (volume.emptyDir !== undefined) {
    // Shared by containers of several users, as in a cluster.
    chmodSync(folder, 0o777);
    return [];
  }
  if (volume.configMap !== undefined) {
    const key = keyFor("ConfigMap", namespace, volume.configMap.name);
    return [follow(key, context.store, (map) => writeTexts(folder, dataOf(map), owner, 0o444))];
  }
  if (volume.secret !== undefined) {
    const key = keyFor("Secret", namespace, volume.secret.secretName);
    return [follow(key, context.store, (secret) => writeSecret(folder, secret, owner))];
  }
  if (volume.projected !== undefined) {
    const cancels: Cancel[] = [];
    for (const source of volume.projected.sources ?? []) {
      cancels.push(await keepToken(folder, source, owner, context));
    }
    return cancels;
  }
  throw new LocalError(
    "not_possible_here",
    `Cannot make volume "${volume.name}": its kind needs a cluster`,
    { next: "Use projected, configMap, secret or emptyDir, or run it on a cluster" },
  );
}

/** Writes the object's files now and at each change; what is deleted stays as it was, as in kubelet. */
function follow(key: string, store: Store, write: (object: KubernetesObject) => void): Cancel {
  const object = store.get(key);
  if (object === undefined) {
    const [kind, , name] = key.split("/");
    const message = `Cannot mount ${kind} "${name}": there is none in the namespace`;
    throw new LocalError("not_found", message, { next: `Apply the ${kind} with the pod` });
  }
  write(object);
  return store.onEvent((event) => {
    if (event.type !== "DELETED" && keyOf(event.object) === key) write(event.object);
  });
}

function dataOf(object: KubernetesObject): ReadonlyMap<string, Buffer> {
  const texts = Object.entries((object["data"] ?? {}) as Record<string, string>);
  const bytes = Object.entries((object["binaryData"] ?? {}) as Record<string, string>);
  return new Map([
    ...texts.map(([name, text]) => [name, Buffer.from(text, "utf8")] as const),
    ...bytes.map(([name, text]) => [name, Buffer.from(text, "base64")] as const),
  ]);
}

function writeSecret(folder: string, secret: KubernetesObject, owner: Owner): void {
  const texts = Object.entries((secret["stringData"] ?? {}) as Record<string, string>);
  const bytes = Object.entries((secret["data"] ?? {}) as Record<string, string>);
  const files = new Map([
    ...bytes.map(([name, text]) => [name, Buffer.from(text, "base64")] as const),
    ...texts.map(([name, text]) => [name, Buffer.from(text, "utf8")] as const),
  ]);
  writeTexts(folder, files, owner, 0o400);
}

function writeTexts(
  folder: string,
  files: ReadonlyMap<string, Buffer>,
  owner: Owner,
  mode: number,
): void {
  for (const [name, bytes] of files)
    replaceFile(path.join(folder, path.basename(name)), bytes, owner, mode);
}

function replaceFile(
  file: string,
  bytes: string | Buffer,
  { uid, gid }: Owner,
  mode: number,
): void {
  const next = `${file}.next`;
  rmSync(next, { force: true });
  writeFileSync(next, bytes, { mode, flag: "wx" });
  chownSync(next, uid, gid);
  renameSync(next, file);
}

async function keepToken(
  folder: string,
  source: RawSource,
  owner: Owner,
  context: VolumeContext,
): Promise<Cancel> {
  const token = source.serviceAccountToken;
  if (token === undefined) {
    throw new LocalError("not_possible_here", "Cannot project a source that is no token", {
      next: "Mount ConfigMaps and Secrets as volumes of their own",
    });
  }
  const lifetimeSeconds = Math.max(
    tokenLifetimeSecondsMin,
    token.expirationSeconds ?? tokenLifetimeSecondsDefault,
  );
  const file = path.join(folder, path.basename(token.path));
  const audience = token.audience ?? "https://kubernetes.default.svc";
  const { signer, identity, clock } = context;
  let cancel: Cancel = () => {};
  let isStopped = false;
  const refresh = async (): Promise<void> => {
    const text = await signer.sign({ ...identity, audience, lifetimeSeconds });
    if (isStopped) return;
    replaceFile(file, text, owner, 0o400);
    again(lifetimeSeconds * refreshShare * 1000);
  };
  const again = (delayMs: number): void => {
    cancel = clock.after(delayMs, () => {
      refresh().catch(() => {
        if (!isStopped) again(retryMs);
      });
    });
  };
  await refresh();
  return () => {
    isStopped = true;
    cancel();
  };
}
