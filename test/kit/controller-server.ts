// A controller's API server on loopback for tests, with an authority of its own, and clients for it.
import { connect as tlsConnect } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { connectController } from "#/api/connect.ts";
import type { Hello, Update } from "#/api/discovery.ts";
import type { IssueRequest, IssueResponse } from "#/api/identity.ts";
import { RpcError } from "#/api/rpc-error.ts";
import type { ControllerConnection, ControllerConnectionOptions } from "#/api/rpc.ts";
import type { ControllerHandlers, ControllerServer, ControllerServerOptions } from "#/api/rpc.ts";
import type { SubscriberStream } from "#/api/rpc.ts";
import { serveController } from "#/api/serve.ts";
import type { ServingCredentials } from "#/api/serving-tls.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { SpiffeId, TrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { createAuthority } from "./authority.ts";
import type { Authority } from "./authority.ts";

export const controllerId: SpiffeId = parseSpiffeId(
  "spiffe://cluster.local/ns/signet-system/sa/signet-controller",
);
export const workload: SpiffeId = parseSpiffeId("spiffe://cluster.local/ns/app-a/sa/app-a");
export const trustDomain: TrustDomain = parseTrustDomain("cluster.local");
export const request: IssueRequest = {
  csr: new Uint8Array([1]),
  token: "t",
  lifetimeS: 30,
  serving: false,
};
export const answer: IssueResponse = {
  certificateChain: [new Uint8Array([2])],
  trustBundle: [new Uint8Array([3])],
  notAfter: 1_800_000_000_000,
  receipt: { index: 7, checkpoint: "", entry: new Uint8Array(1), path: new Uint8Array(0) },
};
export const update: Update = { sequence: 1, upserts: [], removals: [], synced: true };
export const hello: Hello = { podNamespace: "app-a", podName: "a", podUid: "u", held: [] };

export interface Started extends AsyncDisposable {
  readonly authority: Authority;
  readonly server: ControllerServer;
  /** Streams that were opened. */
  readonly streams: readonly SubscriberStream[];
  /** Kinds of messages that came on them, and "end". */
  readonly said: readonly string[];
  /** Why connections were refused. */
  readonly refused: readonly string[];
  readonly credentials: ServingCredentials;
}

/** Starts a server that answers Issue with `answer` and a hello with `update`. */
export async function start(
  options: Partial<ControllerServerOptions> & Partial<ControllerHandlers> = {},
): Promise<Started> {
  const authority = await createAuthority();
  const streams: SubscriberStream[] = [];
  const said: string[] = [];
  const refused: string[] = [];
  const credentials = {
    svid: await authority.issue(controllerId),
    roots: [authority.root],
    trustDomain,
  };
  const server = await serveController({
    address: "127.0.0.1",
    port: 0,
    credentials,
    clock: systemClock,
    log: silentLog,
    handlers: {
      issue: options.issue ?? (async () => answer),
      subscribe:
        options.subscribe ??
        ((stream) => {
          streams.push(stream);
          return {
            onMessage: (message) => {
              said.push(message.kind);
              if (message.kind === "hello") stream.send(update);
            },
            onEnd: () => void said.push("end"),
          };
        }),
    },
    onRefused: (reason) => void refused.push(reason),
    ...options,
  });
  return {
    authority,
    server,
    streams,
    said,
    refused,
    credentials,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export const connect = (
  started: Started,
  svid: Svid | null,
  other: Partial<ControllerConnectionOptions> = {},
): ControllerConnection =>
  connectController({
    address: `127.0.0.1:${started.server.port}`,
    roots: [started.authority.root],
    svid,
    expectedIdentity: controllerId,
    clock: systemClock,
    ...other,
  });

/** TLS as a foreign client would speak it; resolves with how the connection ended. */
export async function speakTls(started: Started, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = tlsConnect({
      host: "127.0.0.1",
      port: started.server.port,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
      ...options,
    });
    let error = "closed";
    socket.on("error", (thrown: NodeJS.ErrnoException) => (error = thrown.code ?? thrown.message));
    socket.on("close", () => resolve(error));
    socket.resume();
  });
}

/** How a call was refused. */
export const codeOf = async (call: Promise<unknown>): Promise<string> => {
  const error = await call.then(
    () => new Error("The call was answered"),
    (thrown: unknown) => thrown,
  );
  return error instanceof RpcError ? error.code : String(error);
};

/** Waits until the condition holds; throws when it does not in time. */
export async function until(condition: () => boolean, ms = 5000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error("It did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
