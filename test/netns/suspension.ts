// Suspends an identity of a mesh that runs, by the command a person would use, while three streams are
// open: each way round, and back.
import { writeFileSync } from "node:fs";
import path from "node:path";
import type { ExecutionContext } from "ava";
import { identityResume, identitySuspend } from "#/cli/commands/identity.ts";
import type { CommandContext } from "#/cli/commands/context.ts";
import { localMesh } from "#/cli/local-mesh.ts";
import { createPrinter } from "#/cli/print.ts";
import { systemClock } from "#/lib/clock.ts";
import type { LocalClient } from "#/local/client.ts";
import { controlSocket } from "#/local/names.ts";
import type { Names } from "#/local/names.ts";
import { readStreams, serveStreams, streamPorts } from "../kit/live-streams.ts";
import type { StreamName, StreamReport } from "../kit/live-streams.ts";

const host = "server.streams.svc.cluster.local";
/** From the command's return to the last byte. */
const closedMsMax = 2_000;
const streamsS = 20;
/** Sidecars ask for a stream every 5 s, and for a certificate every 15. */
const resumedMsMax = 20_000;

const workload = (name: string): string => `---
apiVersion: v1
kind: ServiceAccount
metadata: { name: ${name}, namespace: streams }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: streams }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata:
      labels: { app: ${name} }
      annotations: { signet.dev/svid-lifetime: 30s }
    spec:
      serviceAccountName: ${name}
      securityContext: { runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001 }
      containers: [{ name: ${name}, image: signet/client, args: [--idle] }]
`;
const manifest = `
apiVersion: v1
kind: Namespace
metadata: { name: streams, labels: { signet.dev/inject: enabled } }
${workload("server")}${workload("client")}---
apiVersion: v1
kind: Service
metadata: { name: server, namespace: streams }
spec:
  selector: { app: server }
  ports:
    - { name: http, port: 80, targetPort: ${streamPorts.http} }
    - { name: tcp, port: ${streamPorts.tcp}, targetPort: ${streamPorts.tcp} }
`;

/** The file to launch a mesh with. */
export function writeStreamsManifest(folder: string): string {
  const file = path.join(folder, "streams.yaml");
  writeFileSync(file, manifest);
  return file;
}

export async function assertSuspensions(
  t: ExecutionContext,
  client: LocalClient,
  names: Names,
): Promise<void> {
  const ended = new AbortController();
  const serving = client
    .exec({ pod: "streams/server", command: ["node", "-e", serveStreams] }, ended.signal)
    .catch(() => {});
  try {
    await until(t, "the server answers", 15_000, async () => (await status(client)) === "200 once");
    await suspendOne(t, client, names, "server");
    await suspendOne(t, client, names, "client", () => assertKeptInAnOutage(t, client));
  } finally {
    ended.abort();
    await serving;
  }
}

async function suspendOne(
  t: ExecutionContext,
  client: LocalClient,
  names: Names,
  name: string,
  whileSuspended: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const identity = `streams/${name}`;
  const reading = client.exec({
    pod: "streams/client",
    command: ["node", "-e", readStreams(host, streamsS)],
  });
  await until(t, "three streams are open", 15_000, async () => {
    const open = /^signet_proxy_connections_open\{direction="inbound"\} (\d+)/m;
    return Number(open.exec(await client.metrics("streams/server"))?.[1]) >= 3;
  });
  const said = await suspend(names, identity);
  const returnedAt = Date.now();
  t.regex(said, /is suspended/);
  const reports = JSON.parse((await reading).stdout) as Record<StreamName, StreamReport>;
  for (const [kind, { bytes, lastAt, isClosed }] of Object.entries(reports)) {
    const lateMs = lastAt - returnedAt;
    t.log(`${identity} suspended: last byte of ${kind} ${lateMs} ms after the command returned`);
    t.true(bytes > 0, `${kind} was open`);
    t.true(isClosed, `${kind} is closed`);
    t.true(lateMs < closedMsMax, `${kind}: last byte ${lateMs} ms after`);
  }
  t.is(await status(client), "503 Service Unavailable");
  await until(t, "nothing more is issued to it", 20_000, async () =>
    /requests_refused_total\{reason="identity_suspended"\} [1-9]/.test(
      await client.controller("/metrics"),
    ),
  );
  const refusals = await client.metrics("streams/client");
  t.regex(refusals, /refusals_total\{direction="outbound",reason="identity_suspended"\} [1-9]/);
  await whileSuspended();
  t.regex(await resume(names, identity), /is resumed/);
  await until(
    t,
    `${identity} speaks again`,
    resumedMsMax,
    async () => (await status(client)) === "200 once",
  );
}

/** Nobody has to be asked to keep to it, and a controller that was just started knows it at once. */
async function assertKeptInAnOutage(t: ExecutionContext, client: LocalClient): Promise<void> {
  const pod = "signet-system/signet-controller";
  await client.container({ pod, action: "kill" });
  t.is(await status(client), "503 Service Unavailable", "while the controller is away");
  await client.container({ pod, action: "start" });
  await until(t, "the controller is back", 20_000, async () => {
    const { proxies } = JSON.parse(await client.controller("/v1/proxies")) as {
      proxies: unknown[];
    };
    return proxies.length > 0;
  });
  t.is(await status(client), "503 Service Unavailable", "and when it is back");
}

/** Status line and body of one request from the client, or how it failed. */
async function status(client: LocalClient): Promise<string> {
  const ask = `fetch("http://${host}/once").then(async (answer) => {
    const text = answer.ok ? await answer.text() : answer.statusText;
    console.log(answer.status + " " + text);
  }, (error) => console.log(error.cause?.code ?? error.message));`;
  const { stdout } = await client.exec({ pod: "streams/client", command: ["node", "-e", ask] });
  return stdout.trim();
}

const suspend = (names: Names, identity: string): Promise<string> =>
  say(names, identity, { "--reason": "a test" }, identitySuspend);
const resume = (names: Names, identity: string): Promise<string> =>
  say(names, identity, {}, identityResume);

async function say(
  names: Names,
  identity: string,
  given: Readonly<Record<string, string>>,
  command: typeof identitySuspend,
): Promise<string> {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const context: CommandContext = {
    print: createPrinter("table", {}, stream, stream),
    clock: systemClock,
    signal: new AbortController().signal,
    names,
    repository: "/nonexistent",
    words: { identity: [identity] },
    options: Object.fromEntries(Object.entries(given).map(([key, value]) => [key.slice(2), value])),
  };
  const code = await command(context, localMesh(controlSocket(names)));
  return `${written.join("")}exit ${code}`;
}

async function until(
  t: ExecutionContext,
  what: string,
  ms: number,
  ask: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline) {
    if (await ask().catch(() => false)) return;
    await new Promise((next) => setTimeout(next, 100));
  }
  t.fail(`${what}: not within ${ms} ms`);
  throw new Error(what);
}
