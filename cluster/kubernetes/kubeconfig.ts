// The only file that imports @kubernetes/client-node: it reads kubeconfigs in all their forms (data or
// files, tokens, certificates, exec plug-ins, OIDC). None of its types cross. Its informers are not used:
// they stop at the first error, keep whole objects, list without pages and ask for no bookmarks.
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { messageOf } from "#/lib/errors.ts";
import type { Access, Credentials } from "./credentials.ts";
import { KubernetesError } from "./kubernetes-error.ts";

/** Its current context. Throws KubernetesError when it cannot be used. */
export function openKubeconfig(file: string): Access {
  const config = new KubeConfig();
  try {
    config.loadFromFile(file);
  } catch (thrown) {
    throw unusable(file, messageOf(thrown), thrown);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null || !cluster.server.startsWith("https://")) {
    throw unusable(file, "its current context names no https:// server");
  }
  if (cluster.skipTLSVerify) {
    throw unusable(file, "it asks not to verify the server, and the mesh never speaks so");
  }
  return {
    server: cluster.server.replace(/\/+$/, ""),
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
