// app-b: the service that app-a asks. Prints each request and greets; fails as often as it is told to.
// It runs as any user, writes no file, and knows nothing of a mesh.
//
// PORT          where it listens, on every address (8080)
// CONTROL_PORT  where POST /fail-rate is taken, on 127.0.0.1 only (8081; 0 switches it off)
// VERSION, HOSTNAME, FAIL_RATE (percent, 0)
// LOG_REQUESTS  false keeps it from printing requests under load (true)
import { hostname } from "node:os";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { stopSignal } from "../signals.ts";
import { parseFailRate } from "./fail-rate.ts";
import { createControlServer, createGreetingServer } from "./server.ts";
import type { Greeter } from "./server.ts";

/** What is still in flight this long after SIGTERM is cut. */
const drainMsMax = 10_000;

const environment = process.env;
const failRate = parseFailRate(environment["FAIL_RATE"] ?? "0");
if (failRate === null) refuse(`FAIL_RATE is "${environment["FAIL_RATE"]}", not a percentage`);

const isPrinting = environment["LOG_REQUESTS"] !== "false";
const greeter: Greeter = {
  hostname: environment["HOSTNAME"] ?? hostname(),
  version: environment["VERSION"] ?? "1.0",
  failRate,
  random: Math.random,
  print: (text) => void (isPrinting && process.stdout.write(text)),
};

const stop = stopSignal();
const servers = [await listen(createGreetingServer(greeter), portOf("PORT", 8080))];
const controlPort = portOf("CONTROL_PORT", 8081);
if (controlPort !== 0) {
  servers.push(await listen(createControlServer(greeter), controlPort, "127.0.0.1"));
}
stop.addEventListener("abort", () => servers.forEach(drain));

/** No new connections, the idle ones closed at once, the busy ones when they have answered. */
function drain(server: Server): void {
  server.close();
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), drainMsMax).unref();
}

function listen(server: Server, port: number, address?: string): Promise<Server> {
  // Node's own 5 s would close a pooled connection under the request that is just being sent on it.
  server.keepAliveTimeout = 75_000;
  return new Promise((resolve) => {
    server.once("error", (error) => refuse(error.message));
    server.listen({ port, ...(address !== undefined && { host: address }) }, () => {
      const bound = server.address() as AddressInfo;
      process.stdout.write(`Listening on [${bound.address}]:${bound.port}\n`);
      resolve(server);
    });
  });
}

function portOf(name: string, byDefault: number): number {
  const text = environment[name] ?? String(byDefault);
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  return refuse(`${name} is "${text}", not a port`);
}

function refuse(state: string): never {
  process.stderr.write(`Cannot start: ${state}\n`);
  process.exit(64);
}
