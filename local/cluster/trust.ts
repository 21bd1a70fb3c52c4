// What the controller's folder says of the mesh's roots, followed: without a cluster the runtime is the one
// that publishes them. And the other way: a rotation that is asked for by a ConfigMap, as on a cluster, is
// put into the folder.
import { chownSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fingerprint, parsePem } from "#/identity/bundle.ts";
import type { Clock } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import type { KubernetesObject } from "../objects.ts";
import type { Store } from "../store.ts";
import { controllerUser, systemNamespace } from "./system-pods.ts";

/** PEM. */
export interface Trust {
  readonly bundle: string;
  /** Former roots and what leads from each to the next; empty: there are none. */
  readonly links: string;
  /** SHA-256 of each root of the bundle. */
  readonly fingerprints: readonly string[];
}

const bundleFile = "bundle.pem";
const linksFile = "links.pem";
const requestFile = "request.json";
const requestMap = "signet-rotation";
const lookMs = 100;

/** Throws IdentityError for a text without certificates. */
export function trustOf(bundle: string, links: string): Trust {
  return { bundle, links, fingerprints: parsePem(bundle).map(fingerprint) };
}

/** What an earlier run of the mesh left in the folder: this one begins with the roots that it is given. */
export function forgetRotations(folder: string): void {
  for (const name of ["authorities.json", bundleFile, linksFile, requestFile]) {
    rmSync(path.join(folder, name), { force: true });
  }
}

/** Until disposed of. */
export function followTrust(
  folder: string,
  clock: Clock,
  log: Log,
  onChange: (trust: Trust) => void,
): Disposable {
  let seen = "";
  let cancel = (): void => {};
  const look = (): void => {
    try {
      const [links, bundle] = [linksFile, bundleFile].map((name) =>
        readFileSync(path.join(folder, name), "utf8"),
      );
      const text = `${bundle}${links}`;
      if (text !== seen) onChange(trustOf(bundle!, links!));
      seen = text;
    } catch (error) {
      // Nothing was rotated yet.
      const isAbsent = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!isAbsent) log.warn("trust bundle not read", { reason: messageOf(error) });
    }
    cancel = clock.after(lookMs, look);
  };
  look();
  return { [Symbol.dispose]: () => cancel() };
}

/** Until the returned function is called. */
export function passRequestsOn(store: Store, folder: string): () => void {
  return store.onEvent(({ type, object }) => {
    const { kind, metadata } = object;
    const isRequest =
      kind === "ConfigMap" &&
      metadata.namespace === systemNamespace &&
      metadata.name === requestMap;
    if (isRequest && type !== "DELETED") writeRequest(object, folder);
  });
}

function writeRequest(object: KubernetesObject, folder: string): void {
  const data = (object["data"] ?? {}) as Readonly<Record<string, string>>;
  const file = path.join(folder, requestFile);
  const partial = `${file}.partial`;
  // The folder is the controller's: what it may have put there is not followed.
  rmSync(partial, { force: true });
  writeFileSync(partial, data["request"] ?? "", { mode: 0o600, flag: "wx" });
  chownSync(partial, controllerUser, controllerUser);
  renameSync(partial, file);
}
