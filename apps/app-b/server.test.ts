import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import test from "ava";
import { createControlServer, createGreetingServer } from "./server.ts";
import type { Greeter } from "./server.ts";

interface Running extends AsyncDisposable {
  readonly greeter: Greeter;
  readonly printed: string[];
  readonly greeting: string;
  readonly control: string;
}

async function start(): Promise<Running> {
  const printed: string[] = [];
  const greeter: Greeter = {
    hostname: "app-b-v1-xyz",
    version: "1.0",
    failRate: 0,
    random: () => 0.5,
    print: (text) => void printed.push(text),
  };
  const servers = [createGreetingServer(greeter), createControlServer(greeter)];
  const urls = await Promise.all(servers.map(listen));
  return {
    greeter,
    printed,
    greeting: urls[0]!,
    control: urls[1]!,
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function fetchText(url: string, init?: RequestInit): Promise<[number, string]> {
  const response = await fetch(url, { ...init, headers: { connection: "close" } });
  return [response.status, await response.text()];
}

test("app-b greets in the wording that its callers know and prints the request", async (t) => {
  await using running = await start();
  const greeting = "Hello from app-b service! Hostname: app-b-v1-xyz Version: 1.0";
  t.deepEqual(await fetchText(`${running.greeting}/hello?who=me`), [200, greeting]);
  t.deepEqual(await fetchText(`${running.greeting}/hello`, { method: "POST", body: "body" }), [
    200,
    greeting,
  ]);
  t.regex(running.printed[0]!, /^Request #1\nGET \/hello\?who=me HTTP\/1\.1\nhost: 127/i);
  t.regex(running.printed[1]!, /^Request #2\nPOST \/hello HTTP\/1\.1\n[^]*\n\nbody\n/);
});

test("app-b is well at /healthz, whatever its fail rate, and knows no other path", async (t) => {
  await using running = await start();
  running.greeter.failRate = 100;
  t.deepEqual(await fetchText(`${running.greeting}/healthz`), [200, "ok\n"]);
  for (const path of ["/", "/hello/", "/Hello", "/fail-rate"]) {
    t.is((await fetchText(`${running.greeting}${path}`))[0], 404);
  }
  t.deepEqual(running.printed, []);
});

test("app-b fails at the rate that its control sets while it runs", async (t) => {
  await using running = await start();
  const set = (body: string): Promise<[number, string]> =>
    fetchText(`${running.control}/fail-rate`, { method: "POST", body });
  t.deepEqual(await set("51"), [200, "51\n"]);
  t.is((await fetchText(`${running.greeting}/hello`))[0], 500);
  t.deepEqual(await set("50"), [200, "50\n"]);
  t.is((await fetchText(`${running.greeting}/hello`))[0], 200);
  t.deepEqual(await fetchText(`${running.control}/fail-rate`), [200, "50\n"]);
});

test("app-b's control refuses what is no percentage and keeps the rate", async (t) => {
  await using running = await start();
  running.greeter.failRate = 7;
  for (const body of ["", "-1", "101", "many"]) {
    t.is((await fetchText(`${running.control}/fail-rate`, { method: "POST", body }))[0], 400);
  }
  t.is((await fetchText(`${running.control}/fail-rate`, { method: "DELETE" }))[0], 405);
  t.is((await fetchText(`${running.control}/hello`))[0], 404);
  t.is(running.greeter.failRate, 7);
});
