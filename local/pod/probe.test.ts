import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test from "ava";
import type { Probe } from "./pod-spec.ts";
import { probeCommand, runProbe } from "./probe.ts";

const probe: Probe = {
  kind: "http",
  path: "/healthz",
  port: 80,
  command: [],
  delayMs: 0,
  periodMs: 1_000,
  timeoutMs: 1_000,
  failureThreshold: 3,
};
const target = { address: "127.0.0.1", networkNamespace: "none" };

/** The probe's own program, without entering a namespace or changing user. */
function runsWith(changes: Partial<Probe>): Promise<boolean> {
  const command = probeCommand({ ...probe, ...changes }, target);
  const [program = "", ...args] = command.slice(command.indexOf("bash"));
  return new Promise((done) => {
    execFile(program, args, { timeout: 5_000 }, (error) => done(error === null));
  });
}

async function serve(status: number): Promise<{ port: number; asked: string[] } & Disposable> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers["user-agent"]}`);
    response.writeHead(status).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return { port, asked, [Symbol.dispose]: () => void server.close() };
}

for (const [status, passes] of [
  [200, true],
  [204, true],
  [302, true],
  [400, false],
  [404, false],
  [500, false],
  [503, false],
] as const) {
  test(`probeCommand ${passes ? "passes" : "fails"} on ${status}`, async (t) => {
    using server = await serve(status);
    t.is(await runsWith({ port: server.port }), passes);
    t.deepEqual(server.asked, ["GET /healthz kube-probe"]);
  });
}

test("probeCommand fails where nobody listens, for HTTP and TCP", async (t) => {
  const { port, [Symbol.dispose]: close } = await serve(200);
  t.true(await runsWith({ kind: "tcp", port }));
  close();
  t.false(await runsWith({ kind: "tcp", port: 1 }));
  t.false(await runsWith({ port: 1 }));
});

test("probeCommand reads no word of a manifest as shell", async (t) => {
  using server = await serve(200);
  const path = `/'";touch\${IFS}/tmp/signet-probe-was-here;$(exit)\`exit\`%s%n`;
  t.true(await runsWith({ port: server.port, path }));
  t.deepEqual(server.asked, [`GET ${path} kube-probe`]);
});

test("probeCommand probes as nobody, without a capability", (t) => {
  const command = probeCommand(probe, target);
  for (const flag of [
    "--reuid=65534",
    "--no-new-privs",
    "--inh-caps=-all",
    "--bounding-set=-all",
  ]) {
    t.true(command.includes(flag), flag);
  }
});

test("runProbe leaves a command to the container, with its time", async (t) => {
  const asked: unknown[] = [];
  const execute = async (command: readonly string[], timeoutMs: number): Promise<boolean> => {
    asked.push([command, timeoutMs]);
    return false;
  };
  t.false(
    await runProbe(
      { ...probe, kind: "exec", command: ["x"], timeoutMs: 9_000 },
      { ...target, execute },
    ),
  );
  t.deepEqual(asked, [[["x"], 9_000]]);
});
