// What `signet install` may be told, read once and refused with a sentence that says what would do.
import { durationMs } from "#/cluster/duration.ts";
import { messageOf } from "#/lib/errors.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { UsageError } from "../args.ts";
import type { Invocation } from "../args.ts";

export type Storage =
  /** A volume for each controller; null: the cluster's default class, the size that stands in k8s/. */
  | { readonly kind: "volume"; readonly storageClass: string | null; readonly size: string | null }
  /** The ledger goes with its pod. */
  | { readonly kind: "none" };

/** null: as k8s/ says. */
export interface InstallOptions {
  readonly images: ImageOptions;
  readonly replicas: number | null;
  readonly storage: Storage;
  readonly trustDomain: string | null;
  readonly svidLifetimeS: number | null;
  readonly imagePullSecret: string | null;
  /** A Secret of signet-system under whose key the authorities' keys are wrapped; null: they are not. */
  readonly wrappingKeySecret: string | null;
  /** On which each controller serves the trust domain's bundle; null: on none. */
  readonly bundlePort: number | null;
}

export interface ImageOptions {
  readonly registry: string | null;
  readonly tag: string | null;
}

type Given = Invocation["options"];

const replicasMax = 9;
/** The lives that the CA grants. */
const lifetimeSMin = 30;
const lifetimeSMax = 86_400;

/** A host with an optional port, and folders: "signet", "ghcr.io/acme/signet", "localhost:5000/mesh". */
const registryForm =
  /^[a-z0-9]+(?:[.-][a-z0-9]+)*(?::\d{1,5})?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;
const registryCharactersMax = 200;
const tagForm = /^\w[\w.-]{0,127}$/;
/** Of a storage class or a Secret. */
const objectName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const portForm = /^[1-9]\d{3,4}$/;
const portMin = 1024;
const portMax = 65_535;
/** The controller's own: gRPC, admin, inspection. */
const takenPorts: ReadonlySet<number> = new Set([8443, 8080, 8081]);
const authoritySecret = "signet-ca";
const quantity = /^[1-9]\d{0,9}(?:M|G|T|Mi|Gi|Ti)$/;

/** Throws UsageError. */
export function readInstallOptions(given: Given): InstallOptions {
  const replicas = valueOf(given, "replicas");
  const trustDomain = valueOf(given, "trust-domain");
  if (trustDomain !== null) checkTrustDomain(trustDomain);
  return {
    images: readImageOptions(given),
    replicas: replicas === null ? null : readReplicas(replicas),
    storage: readStorage(given),
    trustDomain,
    svidLifetimeS: readLifetime(valueOf(given, "svid-lifetime")),
    imagePullSecret: matching(given, "image-pull-secret", objectName, "the name of a Secret"),
    wrappingKeySecret: readWrappingKeySecret(given),
    bundlePort: readBundlePort(given),
  };
}

/** Throws UsageError. */
export function readImageOptions(given: Given): ImageOptions {
  const form = "a registry's host and folders in lower case, as ghcr.io/acme/signet";
  const registry = matching(given, "registry", registryForm, form);
  if (registry !== null && registry.length > registryCharactersMax) {
    throw refused("registry", registry, `at most ${registryCharactersMax} characters`);
  }
  return { registry, tag: matching(given, "tag", tagForm, "a tag as v0.1.0, without the colon") };
}

/** Throws UsageError. */
export function checkTrustDomain(text: string): void {
  try {
    parseTrustDomain(text);
  } catch (cause) {
    throw new UsageError("usage", `Cannot use --trust-domain "${text}": ${messageOf(cause)}`, {
      next: 'Write it like a domain name in lower case, as "mesh.example.org"',
      cause,
    });
  }
}

function readReplicas(text: string): number {
  const count = /^\d$/.test(text) ? Number(text) : 0;
  if (count < 1) throw refused("replicas", text, `a whole number from 1 to ${replicasMax}`);
  return count;
}

function readStorage(given: Given): Storage {
  if (given["no-storage"] === true) return { kind: "none" };
  const storageClass = matching(given, "storage", objectName, "the name of a storage class");
  const size = matching(given, "storage-size", quantity, "a size as 512Mi or 4Gi");
  return { kind: "volume", storageClass, size };
}

function readWrappingKeySecret(given: Given): string | null {
  const name = matching(given, "wrapping-key", objectName, "the name of a Secret");
  // What it would wrap lies in there.
  if (name === authoritySecret) throw refused("wrapping-key", name, "a Secret of your own");
  return name;
}

function readBundlePort(given: Given): number | null {
  const form = `a port from ${portMin} to ${portMax} that the controller has no other use for`;
  const text = matching(given, "bundle-port", portForm, form);
  if (text === null) return null;
  const port = Number(text);
  if (port < portMin || port > portMax || takenPorts.has(port)) {
    throw refused("bundle-port", text, form);
  }
  return port;
}

function readLifetime(text: string | null): number | null {
  if (text === null) return null;
  const seconds = (durationMs(text) ?? 0) / 1000;
  if (!Number.isInteger(seconds) || seconds < lifetimeSMin || seconds > lifetimeSMax) {
    throw refused("svid-lifetime", text, "a time from 30s to 24h, as 15m or 1h30m");
  }
  return seconds;
}

function matching(given: Given, name: string, form: RegExp, wanted: string): string | null {
  const text = valueOf(given, name);
  if (text !== null && !form.test(text)) throw refused(name, text, wanted);
  return text;
}

function valueOf(given: Given, name: string): string | null {
  const value = given[name];
  return typeof value === "string" ? value : null;
}

function refused(name: string, text: string, wanted: string): UsageError {
  return new UsageError("usage", `Cannot use --${name} "${text}": it is not ${wanted}`, {
    next: 'See "signet install --help"',
  });
}
