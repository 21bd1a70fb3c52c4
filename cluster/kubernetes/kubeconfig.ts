// Kubeconfigs in all their forms (data or files, tokens, certificates, exec plug-ins, OIDC), read by
// @kubernetes/client-node: its wall are this file and pod-streams.ts, and none of its types cross it. Its
// informers are not used: they stop at the first error, keep whole objects, list without pages and ask for
// no bookmarks.
import { existsSync } from "node:fs";
import path from "node:path";
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { messageOf } from "#/lib/errors.ts";
import type { Access, Credentials } from "./credentials.ts";
import { KubernetesError } from "./kubernetes-error.ts";

/** What KUBECONFIG says: one file, or several with ":" between that are read as one. */
export interface KubeconfigChoice {
  readonly file: string;
  /** null: the current one. */
  readonly context: string | null;
}

export interface Kubeconfig extends Access {
  /** Names, as the file has them. */
  readonly context: string;
  readonly cluster: string;
}

/** Throws KubernetesError when it cannot be used. */
export function openKubeconfig(choice: KubeconfigChoice): Kubeconfig {
  const { file } = choice;
  const config = loadKubeconfig(choice);
  const cluster = config.getCurrentCluster();
  if (cluster === null || !cluster.server.startsWith("https://")) {
    throw unusable(file, "its current context names no https:// server");
  }
  if (cluster.skipTLSVerify) {
    throw unusable(file, "it asks not to verify the server, and the mesh never speaks so");
  }
  return {
    context: config.getCurrentContext(),
    cluster: cluster.name,
    // The lookbehind keeps it linear, whatever stands there.
    server: cluster.server.replace(/(?<!\/)\/+$/, ""),
    async credentials() {
      const options: RequestOptions = {};
      try {
        await config.applyToHTTPSOptions(options);
      } catch (thrown) {
        throw unusable(file, messageOf(thrown), thrown);
      }
      return toCredentials(options);
    },
  };
}

/** For the files of the wall alone. Throws KubernetesError. */
export function loadKubeconfig({ file, context }: KubeconfigChoice): KubeConfig {
  const all = file.split(path.delimiter).filter((each) => each !== "");
  // As kubectl does: of several some may be missing.
  const there = all.length > 1 ? all.filter((each) => existsSync(each)) : all;
  const config = new KubeConfig();
  try {
    for (const [index, each] of there.entries()) {
      if (index === 0) config.loadFromFile(each);
      else config.mergeConfig(loadFile(each), true);
    }
  } catch (thrown) {
    throw unusable(file, messageOf(thrown), thrown);
  }
  if (context === null) return config;
  if (config.getContextObject(context) === null) {
    const names = config.getContexts().map(({ name }) => name);
    throw new KubernetesError("misconfigured", `Cannot find context "${context}" in "${file}"`, {
      next: names.length === 0 ? "It has no contexts" : `Name one of ${names.join(", ")}`,
    });
  }
  config.setCurrentContext(context);
  return config;
}

function loadFile(file: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(file);
  return config;
}

function toCredentials(options: RequestOptions): Credentials {
  const headers = (options.headers ?? {}) as Readonly<Record<string, unknown>>;
  const header = headers["Authorization"];
  const basic = options.auth ?? null;
  return {
    ca: text(options.ca) ?? "",
    certificate: text(options.cert),
    privateKey: text(options.key),
    serverName: options.servername ?? null,
    authorization:
      typeof header === "string"
        ? header
        : basic === null
          ? null
          : `Basic ${Buffer.from(basic).toString("base64")}`,
  };
}

function text(value: unknown): string | null {
  if (typeof value === "string") return value;
  return Buffer.isBuffer(value) ? value.toString("utf8") : null;
}

function unusable(file: string, state: string, cause?: unknown): KubernetesError {
  return new KubernetesError("misconfigured", `Cannot use kubeconfig "${file}": ${state}`, {
    next: "Correct the file, or set KUBECONFIG to another one",
    cause,
  });
}
