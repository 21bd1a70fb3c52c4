import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import type { KubernetesObject } from "../objects.ts";
import { Store } from "../store.ts";
import { serveWorld } from "./world-socket.ts";

interface Line {
  readonly type: string;
  readonly object?: KubernetesObject;
}

function object(kind: string, name: string): KubernetesObject {
  return { apiVersion: "v1", kind, metadata: { name, namespace: "n" } };
}

function socketFor(t: ExecutionContext): string {
  const made = mkdtempSync(path.join(tmpdir(), "world-"));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return path.join(made, "world.sock");
}

/** Reads until `count` lines have come; then goes. */
function watch(socketPath: string, count: number, onSynced = (): void => {}): Promise<string[]> {
  return new Promise((done, failed) => {
    const call = request({ socketPath, path: "/watch" }, (response) => {
      let held = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        held += text;
        const lines = held
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Line);
        if (lines.at(-1)?.type === "SYNCED") onSynced();
        if (lines.length < count) return;
        done(lines.map(({ type, object }) => `${type} ${object?.metadata.name ?? ""}`.trim()));
        call.destroy();
      });
      response.on("error", () => {});
    });
    call.on("error", failed);
    call.end();
  });
}

test("serveWorld tells what there is, then SYNCED, then what comes", async (t) => {
  const store = new Store(() => 0);
  const socketPath = socketFor(t);
  store.put(object("Service", "a"));
  store.put(object("Pod", "b"));
  await using _world = await serveWorld(store, socketPath);
  const lines = await watch(socketPath, 6, () => {
    store.put(object("Pod", "c"));
    store.put({ ...object("Pod", "c"), spec: { x: 1 } });
    store.delete("Pod/n/c");
  });
  t.deepEqual(lines, ["ADDED a", "ADDED b", "SYNCED", "ADDED c", "MODIFIED c", "DELETED c"]);
});

test("serveWorld tells nobody of Secrets, ConfigMaps and Deployments", async (t) => {
  const store = new Store(() => 0);
  const socketPath = socketFor(t);
  for (const kind of ["Secret", "ConfigMap", "Deployment"]) store.put(object(kind, "hidden"));
  await using _world = await serveWorld(store, socketPath);
  const lines = await watch(socketPath, 2, () => {
    store.put(object("Secret", "later"));
    store.put(object("Pod", "seen"));
  });
  t.deepEqual(lines, ["SYNCED", "ADDED seen"]);
});

test("serveWorld tells everything again to whoever comes back", async (t) => {
  const store = new Store(() => 0);
  const socketPath = socketFor(t);
  store.put(object("Pod", "a"));
  await using _world = await serveWorld(store, socketPath);
  t.deepEqual(await watch(socketPath, 2), ["ADDED a", "SYNCED"]);
  t.deepEqual(await watch(socketPath, 2), ["ADDED a", "SYNCED"]);
});

for (const [method, path] of [
  ["GET", "/"],
  ["POST", "/watch"],
  ["GET", "/watch/../x"],
] as const) {
  test(`serveWorld has no answer for ${method} ${path}`, async (t) => {
    const socketPath = socketFor(t);
    await using _world = await serveWorld(new Store(() => 0), socketPath);
    const status = await new Promise((done, failed) => {
      const call = request({ socketPath, method, path }, (response) => {
        done(response.statusCode);
        response.resume();
      });
      call.on("error", failed);
      call.end();
    });
    t.is(status, 404);
  });
}
