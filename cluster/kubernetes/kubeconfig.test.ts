import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { openKubeconfig } from "./kubeconfig.ts";

const config = (name: string): string =>
  JSON.stringify({
    "current-context": name,
    clusters: [{ name: `${name}-cluster`, cluster: { server: `https://${name}:6443` } }],
    users: [{ name, user: { token: `token-${name}` } }],
    contexts: [{ name, context: { cluster: `${name}-cluster`, user: name } }],
  });

function files(t: { teardown(fn: () => void): void }, ...names: readonly string[]): string {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-kubeconfig-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const all = names.map((name) => path.join(folder, name));
  for (const [index, name] of names.entries()) writeFileSync(all[index]!, config(name));
  return all.join(":");
}

test("openKubeconfig takes the current context, and says which it is", (t) => {
  const { server, context, cluster } = openKubeconfig({ file: files(t, "one"), context: null });
  t.deepEqual(
    { server, context, cluster },
    {
      server: "https://one:6443",
      context: "one",
      cluster: "one-cluster",
    },
  );
});

test("openKubeconfig reads several files as one, and those that are missing not at all", async (t) => {
  const file = `${files(t, "one", "two")}:/nonexistent/three`;
  t.is(
    openKubeconfig({ file, context: null }).context,
    "one",
    "the first file's is the current one",
  );
  const two = openKubeconfig({ file, context: "two" });
  t.is(two.server, "https://two:6443");
  t.is((await two.credentials()).authorization, "Bearer token-two");
});

test("openKubeconfig names the contexts when the one asked for is not there", (t) => {
  const file = files(t, "one", "two");
  const error = t.throws(() => openKubeconfig({ file, context: "three" }), {
    message: /Cannot find context "three"/,
  });
  t.like(error, { code: "misconfigured", next: "Name one of one, two" });
});
