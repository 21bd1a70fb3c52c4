// A controller as it ships, on a real API server, in process.
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import path from "node:path";
import type { Controller } from "#/controller/app.ts";
import { startController } from "#/controller/app.ts";
import { readControllerConfig } from "#/controller/config.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";

export interface StartOptions {
  /** Of its pod; no two at once have the same. */
  readonly name: string;
  /** For its socket and its ledger, and for the mesh's root in "ca" unless a Secret holds it. */
  readonly folder: string;
  readonly kubeconfig: string;
  readonly custody?: "folder" | "secret";
}

export interface Started {
  readonly controller: Controller;
  /** What it said, level by level. */
  readonly said: { readonly info: string[]; readonly warn: string[]; readonly error: string[] };
  /** The JSON of a path of its read API. */
  get(url: string): Promise<unknown>;
  [Symbol.asyncDispose](): PromiseLike<void>;
}

export async function startOn(options: StartOptions): Promise<Started> {
  const { name, folder, kubeconfig, custody = "folder" } = options;
  const socketPath = path.join(folder, `${name}.sock`);
  const config = readControllerConfig({
    ...(custody === "folder" ? { SIGNET_CA_DIRECTORY: path.join(folder, "ca") } : {}),
    SIGNET_DATA_DIRECTORY: path.join(folder, name),
    SIGNET_WORLD: "kubernetes",
    KUBECONFIG: kubeconfig,
    SIGNET_ADMIN_SOCKET: socketPath,
    POD_NAME: name,
  });
  const said: Started["said"] = { info: [], warn: [], error: [] };
  const sayTo =
    (lines: string[]) =>
    (message: string, fields: object = {}) =>
      void lines.push(
        Object.keys(fields).length > 0 ? `${message} ${JSON.stringify(fields)}` : message,
      );
  const controller = await startController({
    config: { ...config, grpcPort: 0, adminPort: 0 },
    clock: systemClock,
    random: Math.random,
    randomBytes,
    log: {
      ...silentLog,
      info: sayTo(said.info),
      warn: sayTo(said.warn),
      error: sayTo(said.error),
    },
  });
  return {
    controller,
    said,
    get: (url) => getJson(socketPath, url),
    [Symbol.asyncDispose]: () => controller[Symbol.asyncDispose](),
  };
}

function getJson(socketPath: string, url: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: url }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => {
        try {
          resolve(JSON.parse(body));
        } catch (thrown) {
          reject(thrown);
        }
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}
