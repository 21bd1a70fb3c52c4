import { createServer } from "node:https";
import type { Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import test from "ava";
import { toPem } from "#/identity/bundle.ts";
import type { Clock } from "#/lib/clock.ts";
import { systemClock } from "#/lib/clock.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import type { KubernetesClient } from "./client.ts";
import { createKubernetesClient, silenceMsMax } from "./client.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of one handler, and a client of it. */
class Lab implements AsyncDisposable {
  readonly sockets = new Set<Socket>();
  client!: KubernetesClient;
  #server!: Server;

  static async start(handler: Handler, clock: Clock = systemClock, ca?: string): Promise<Lab> {
    const lab = new Lab();
    const authority = await createAuthority();
    const names = [{ type: "dns", value: "localhost" }] as const;
    const leaf = await authority.issue("spiffe://x/y", { names });
    const key = leaf.privateKey.export({ type: "pkcs8", format: "pem" });
    lab.#server = createServer({ key, cert: leaf.chain.map(toPem).join("") }, handler);
    lab.#server.on("secureConnection", (socket: Socket) => lab.sockets.add(socket));
    await new Promise<void>((resolve) => lab.#server.listen(0, "127.0.0.1", resolve));
    const { port } = lab.#server.address() as AddressInfo;
    const credentials = {
      ca: ca ?? toPem(authority.root),
      certificate: null,
      privateKey: null,
      serverName: "localhost",
      authorization: "Bearer t",
    };
    const access = {
      server: `https://127.0.0.1:${port}`,
      credentials: () => Promise.resolve(credentials),
    };
    lab.client = createKubernetesClient(access, clock);
    return lab;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const get = { method: "GET", path: "/x" } as const;
const silentHandlers = { onOpen() {}, onLine() {} };

test("createKubernetesClient sends what is asked, as who we are", async (t) => {
  await using lab = await Lab.start((request, response) => {
    const { url, method, headers } = request;
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => response.end(JSON.stringify({ url, method, headers, body })));
  });
  const answer = await lab.client.call({
    method: "PATCH",
    path: "/api",
    query: { a: "b c&d" },
    body: { é: 1 },
    contentType: "application/x",
  });
  t.like(answer, { url: "/api?a=b+c%26d", method: "PATCH", body: '{"é":1}' });
  t.like((answer as { headers: object }).headers, {
    authorization: "Bearer t",
    "content-type": "application/x",
  });
});

test("createKubernetesClient does not speak to a server that it cannot verify", async (t) => {
  const other = await createAuthority("other");
  await using lab = await Lab.start(
    (_, response) => response.end("{}"),
    systemClock,
    toPem(other.root),
  );
  await t.throwsAsync(lab.client.call(get), { code: "unavailable", message: /certificate/ });
});

test("createKubernetesClient gives up on an answer that does not come, or does not end", async (t) => {
  await using silent = await Lab.start(() => {});
  const call = { ...get, timeoutMs: 100 };
  await t.throwsAsync(silent.client.call(call), { code: "unavailable", message: /100 ms/ });
  await using endless = await Lab.start((_, response) => void response.write("{"));
  await t.throwsAsync(endless.client.call(call), { code: "unavailable" });
});

test("createKubernetesClient refuses an answer that is no JSON, and tells of a refusal that is none", async (t) => {
  await using lab = await Lab.start((_, response) => response.end("<html>"));
  await t.throwsAsync(lab.client.call(get), { code: "unreadable" });
  await using refusing = await Lab.start((_, response) => {
    response.statusCode = 502;
    response.end("<html>");
  });
  await t.throwsAsync(refusing.client.call(get), { code: "unavailable", message: /502/ });
});

test("createKubernetesClient asks once more when an idle connection had died", async (t) => {
  let asked = 0;
  await using lab = await Lab.start((request, response) => {
    asked += 1;
    if (asked === 2) request.socket.destroy();
    else response.end("{}");
  });
  await lab.client.call(get);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await lab.client.call(get);
  t.is(asked, 3);
});

test("createKubernetesClient streams lines however they are cut, until the server ends", async (t) => {
  await using lab = await Lab.start((_, response) => {
    response.write('{"a":1}\n{"b"');
    setTimeout(() => response.end(":2}\n"), 20);
  });
  const said: string[] = [];
  const onOpen = (): void => void said.push("open");
  await lab.client.stream(get, { onOpen, onLine: (text) => void said.push(text) });
  t.deepEqual(said, ["open", '{"a":1}', '{"b":2}']);
});

test("createKubernetesClient tells a stream that is cut from one that ends", async (t) => {
  await using lab = await Lab.start((request, response) => {
    response.write("{}\n");
    setTimeout(() => request.socket.destroy(), 20);
  });
  await t.throwsAsync(lab.client.stream(get, silentHandlers), { code: "unavailable" });
});

test("createKubernetesClient tells why there is no stream", async (t) => {
  await using lab = await Lab.start((_, response) => {
    response.statusCode = 410;
    response.end(JSON.stringify({ code: 410, message: "too old" }));
  });
  await t.throwsAsync(lab.client.stream(get, silentHandlers), {
    code: "expired",
    message: /too old/,
  });
});

test("createKubernetesClient takes a stream that says nothing for a dead one", async (t) => {
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, callback) =>
      systemClock.after(delayMs === silenceMsMax ? 100 : delayMs, callback),
  };
  await using lab = await Lab.start((_, response) => void response.write("{}\n"), clock);
  await t.throwsAsync(lab.client.stream(get, silentHandlers), { message: /silent for 130000 ms/ });
});

test("createKubernetesClient ends a stream with a line beyond the limit", async (t) => {
  await using lab = await Lab.start(
    (_, response) => void response.write(`${"a".repeat(9_000_000)}\n`),
  );
  await t.throwsAsync(lab.client.stream(get, silentHandlers), { code: "unreadable" });
});

test("createKubernetesClient stops when it is told to", async (t) => {
  await using lab = await Lab.start((_, response) => void response.write("{}\n"));
  const stop = new AbortController();
  const { signal } = stop;
  const streaming = lab.client.stream(
    { ...get, signal },
    { ...silentHandlers, onLine: () => stop.abort() },
  );
  await t.throwsAsync(streaming, { code: "unavailable" });
  await t.throwsAsync(lab.client.call({ ...get, signal }), { code: "unavailable" });
});
