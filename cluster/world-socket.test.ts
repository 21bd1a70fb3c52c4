import test from "ava";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { Server, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "#/lib/clock.ts";
import type { WorldEvent } from "./events.ts";
import { watchWorldSocket } from "./world-socket.ts";

class World implements AsyncDisposable {
  readonly socketPath: string;
  readonly #directory: string;
  #server: Server | null = null;
  readonly responses: ServerResponse[] = [];
  status = 200;

  constructor() {
    this.#directory = mkdtempSync(path.join(tmpdir(), "signet-world-"));
    this.socketPath = path.join(this.#directory, "world.sock");
  }

  async start(list: readonly object[]): Promise<void> {
    this.#server = createServer((_request, response) => {
      this.responses.push(response);
      response.writeHead(this.status);
      for (const line of list) response.write(`${JSON.stringify(line)}\n`);
      response.flushHeaders();
    });
    await new Promise<void>((resolve) => this.#server?.listen(this.socketPath, resolve));
  }

  write(text: string): void {
    this.responses.at(-1)?.write(text);
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true });
  }
}

const added = (name: string): object => ({
  type: "ADDED",
  object: { apiVersion: "v1", kind: "Namespace", metadata: { name } },
});
const synced = { type: "SYNCED" };

class Seen {
  readonly events: string[] = [];
  #waiting: (() => void)[] = [];

  readonly push = (event: WorldEvent): void => {
    if (event.type === "applied") this.events.push(`+${event.object.meta.name}`);
    else if (event.type === "deleted") this.events.push(`-${event.key}`);
    else this.events.push(event.type);
    for (const wake of this.#waiting.splice(0)) wake();
  };

  async until(count: number): Promise<readonly string[]> {
    while (this.events.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.events;
  }
}

const watch = (world: World, seen: Seen): AsyncDisposable =>
  watchWorldSocket({
    socketPath: world.socketPath,
    clock: systemClock,
    random: () => 0,
    onEvent: seen.push,
  });

test("watchWorldSocket passes the list and what follows", async (t) => {
  await using world = new World();
  await world.start([added("a"), synced]);
  const seen = new Seen();
  await using _watch = watch(world, seen);
  await seen.until(2);
  world.write(`${JSON.stringify(added("b"))}\n`);
  t.deepEqual(await seen.until(3), ["+a", "synced", "+b"]);
});

test("watchWorldSocket comes back after a loss and reports what is missing from the new list", async (t) => {
  await using world = new World();
  await world.start([added("a"), added("b"), synced]);
  const seen = new Seen();
  await using _watch = watch(world, seen);
  await seen.until(3);
  await world.stop();
  await seen.until(4);
  await world.start([added("b"), synced]);
  const events = await waitFor(seen, "-a");
  t.deepEqual(events.slice(0, 4), ["+a", "+b", "synced", "disconnected"]);
  t.deepEqual(events.filter((event) => event !== "disconnected").slice(3, 5), ["+b", "-a"]);
});

test("watchWorldSocket waits for a world that is not there yet", async (t) => {
  await using world = new World();
  const seen = new Seen();
  await using _watch = watch(world, seen);
  t.deepEqual(await seen.until(1), ["disconnected"]);
  await world.start([synced]);
  t.true((await waitFor(seen, "synced")).includes("synced"));
});

test("watchWorldSocket reads nothing from an answer that is no watch", async (t) => {
  await using world = new World();
  world.status = 503;
  await world.start([added("a"), synced]);
  const seen = new Seen();
  await using _watch = watch(world, seen);
  t.deepEqual((await seen.until(2)).slice(0, 2), ["disconnected", "disconnected"]);
});

test("watchWorldSocket goes on after a line that is not JSON", async (t) => {
  await using world = new World();
  await world.start([synced]);
  const seen = new Seen();
  await using _watch = watch(world, seen);
  await seen.until(1);
  world.write(`{"type": "ADD\n${JSON.stringify(added("a"))}\n`);
  t.deepEqual(await seen.until(3), ["synced", "invalid", "+a"]);
});

async function waitFor(seen: Seen, event: string): Promise<readonly string[]> {
  let count = 0;
  while (!seen.events.includes(event)) {
    count = seen.events.length + 1;
    await seen.until(count);
  }
  return seen.events;
}
