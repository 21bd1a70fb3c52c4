// The admin server over real sockets, asked with raw bytes: what a client library would tidy up is what
// is tested.
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { NetConnectOpts } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { AdminError, json, startAdmin } from "./admin.ts";
import type { Admin, AdminOptions } from "./admin.ts";
import { silentLog } from "./log.ts";
import type { Log } from "./log.ts";
import { Registry } from "./metrics.ts";

function start(options: Partial<AdminOptions> = {}): Promise<Admin> {
  const registry = new Registry();
  registry.counter("x_total", "X").with().add(7);
  return startAdmin({
    listen: { port: 0, address: "127.0.0.1" },
    registry,
    ready: () => ({ ready: true, reason: "" }),
    log: silentLog,
    ...options,
  });
}

/** Sends `text` and returns everything that comes back until the connection ends. */
function speak(where: NetConnectOpts, text: string): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(where, () => socket.write(text, "latin1"));
    socket.on("data", (bytes) => (received += bytes.toString("latin1")));
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
  });
}

const on = ({ port }: Admin): NetConnectOpts => ({ host: "127.0.0.1", port });
const request = (line: string, more = ""): string => `${line} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const get = (admin: Admin, target: string): Promise<string> =>
  speak(on(admin), request(`GET ${target}`));

test("admin answers liveness, readiness and metrics, and closes", async (t) => {
  await using admin = await start();
  t.regex(await get(admin, "/livez"), /^HTTP\/1\.1 200 [^]*\r\n\r\nok\n$/);
  t.regex(await get(admin, "/readyz"), /^HTTP\/1\.1 200 [^]*\r\n\r\nok\n$/);
  const metrics = await get(admin, "/metrics?x=1");
  t.regex(metrics, /^HTTP\/1\.1 200 [^]*\nx_total 7\n$/);
  t.regex(metrics, /content-type: text\/plain; version=0\.0\.4/i);
  t.regex(metrics, /connection: close/i);
});

test("admin says why it is not ready", async (t) => {
  await using admin = await start({ ready: () => ({ ready: false, reason: "draining" }) });
  t.regex(await get(admin, "/readyz"), /^HTTP\/1\.1 503 [^]*\r\n\r\nnot ready: draining\n$/);
  t.regex(await get(admin, "/livez"), /^HTTP\/1\.1 200 /);
});

const acting = ["/quit", "/quitquitquit", "/shutdown", "/logging?level=debug", "/drain", "/livez"];
for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"]) {
  test(`attack-23 admin answers ${method} on no path`, async (t) => {
    let called = false;
    const route = (): never => {
      called = true;
      throw new Error("The route must not be called");
    };
    const routes = Object.fromEntries(acting.map((each) => [each.replace(/\?.*/, ""), route]));
    await using admin = await start({ routes });
    for (const target of [...acting, "/metrics", "*"]) {
      const answer = await speak(
        on(admin),
        request(`${method} ${target}`, "Content-Length: 0\r\n"),
      );
      t.regex(answer, /^HTTP\/1\.1 40[05] /, target);
    }
    t.false(called);
    t.regex(await get(admin, "/livez"), /^HTTP\/1\.1 200 /);
  });
}

test("attack-23 admin has no page that acts, however it is written", async (t) => {
  await using admin = await start();
  for (const target of [
    ...acting.filter((each) => each !== "/livez"),
    "/debug/pprof",
    "/config_dump",
    "/certs",
    "/__proto__",
    "/constructor",
    "/LIVEZ",
    "/metrics/",
    "/livez/../quit",
    "/%6civez",
  ]) {
    t.regex(await get(admin, target), /^HTTP\/1\.1 404 /, target);
  }
});

test("attack-23 an override of the method or a tunnelled request is not obeyed", async (t) => {
  await using admin = await start();
  const override = "X-HTTP-Method-Override: POST\r\nContent-Length: 0\r\n";
  t.regex(await speak(on(admin), request("GET /quit", override)), /^HTTP\/1\.1 404 /);
  const second = request("POST /quit");
  const both = await speak(on(admin), request("GET /livez") + second);
  t.is(both.match(/HTTP\/1\.1/g)?.length, 1, "one request a connection");
  t.is(await speak(on(admin), request("CONNECT b:80")), "");
  const upgrade = "Connection: Upgrade\r\nUpgrade: h2c\r\n";
  t.regex(await speak(on(admin), request("GET /livez", upgrade)), /^HTTP\/1\.1 200 /);
});

test("admin answers a target that is no path with 400 and does not log it as a fault of its own", async (t) => {
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (message) => void errors.push(message) };
  await using admin = await start({ log });
  for (const target of ["//", "http://[", "http://a:99999/", "//:80"]) {
    t.regex(await get(admin, target), /^HTTP\/1\.1 400 /, target);
  }
  t.deepEqual(errors, []);
});

test("admin answers 500 and lives when a route throws, and tells the log, not the caller", async (t) => {
  const errors: unknown[] = [];
  const log: Log = { ...silentLog, error: (_message, fields) => void errors.push(fields) };
  const routes = { "/x": () => Promise.reject(new Error("secret path")) };
  await using admin = await start({ routes, log });
  const answer = await get(admin, "/x");
  t.regex(answer, /^HTTP\/1\.1 500 [^]*internal error\n$/);
  t.notRegex(answer, /secret/);
  t.deepEqual(errors, [{ reason: "secret path" }]);
  t.regex(await get(admin, "/livez"), /^HTTP\/1\.1 200 /);
});

/** An address of this machine that is not loopback, and how to listen there. */
function foreignAddress(t: ExecutionContext): string | null {
  const found = Object.values(networkInterfaces())
    .flat()
    .find((each) => each !== undefined && !each.internal && each.family === "IPv4");
  if (found === undefined) t.log("No address but loopback on this machine");
  return found?.address ?? null;
}

test("attack-22 what an admin server tells of others is told on loopback only", async (t) => {
  const routes = { "/config": () => json({ secret: true }) };
  await using admin = await start({ listen: { port: 0 }, routes });
  t.regex(await get(admin, "/config"), /\{"secret":true\}\n$/);
  const address = foreignAddress(t);
  if (address !== null) {
    const outside = { host: address, port: admin.port };
    for (const more of ["", "X-Forwarded-For: 127.0.0.1\r\n", "Host: 127.0.0.1\r\n"]) {
      const answer = await speak(outside, request("GET /config", more));
      t.regex(answer, /^HTTP\/1\.1 40[03] /);
      t.notRegex(answer, /secret/);
    }
    t.regex(await speak(outside, request("GET /metrics")), /^HTTP\/1\.1 200 /);
  }
});

test("attack-22 a Unix socket is its owner's alone, and takes the place of a dead one", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-admin-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const socketPath = path.join(folder, "admin.sock");
  writeFileSync(socketPath, "");
  const routes = { "/config": () => json({ secret: true }) };
  await using admin = await start({ listen: { socketPath }, routes });
  t.is(statSync(socketPath).mode & 0o777, 0o600);
  t.is(admin.port, 0);
  t.regex(await speak({ path: socketPath }, request("GET /config")), /\{"secret":true\}\n$/);
});

test("admin says which port it cannot have, and what to do", async (t) => {
  await using admin = await start();
  const again = start({ listen: { port: admin.port, address: "127.0.0.1" } });
  const error = await t.throwsAsync(again, { instanceOf: AdminError });
  t.is(error.code, "listen_failed");
  t.regex(error.message, new RegExp(`port ${admin.port}: EADDRINUSE`));
  t.regex(error.next, /End the process that has it/);
});

test("attack-50 admin takes no head above 8 KiB and no body", async (t) => {
  await using admin = await start();
  const head = request("GET /livez", `x: ${"y".repeat(9000)}\r\n`);
  t.notRegex(await speak(on(admin), head), /200/);
  const body = request("GET /livez", "Content-Length: 10000000\r\n") + "z".repeat(100_000);
  t.regex(await speak(on(admin), body), /^(?:HTTP\/1\.1 200 |$)/);
  t.regex(await get(admin, "/livez"), /^HTTP\/1\.1 200 /);
});

test("attack-50 admin keeps nobody who does not finish a request", async (t) => {
  await using admin = await start();
  const began = performance.now();
  const answers = await Promise.all(
    ["", "GET /livez HTTP/1.1\r\nHost", "GET /livez HTTP/1.1\r\nHost: a\r\nx: "].map((begun) =>
      speak(on(admin), begun),
    ),
  );
  t.true(performance.now() - began < 9_000);
  for (const answer of answers) t.notRegex(answer, /200/);
});

test("attack-51 admin takes 64 connections and drops the next ones", async (t) => {
  await using admin = await start();
  const idle = await Promise.all(
    Array.from(
      { length: 64 },
      () =>
        new Promise<ReturnType<typeof connect>>((resolve) => {
          const socket = connect(on(admin), () => resolve(socket));
          socket.on("error", () => {});
        }),
    ),
  );
  t.is(await get(admin, "/livez"), "");
  for (const socket of idle) socket.destroy();
  let answer = "";
  for (let left = 100; answer === "" && left > 0; left -= 1) answer = await get(admin, "/livez");
  t.regex(answer, /^HTTP\/1\.1 200 /);
});
