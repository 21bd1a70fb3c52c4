import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { kubernetesPlace, openAccess } from "./access.ts";

function folder(t: { teardown(fn: () => void): void }): string {
  const made = mkdtempSync(path.join(tmpdir(), "signet-account-"));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test("kubernetesPlace prefers a kubeconfig, and finds nothing outside of a pod", (t) => {
  t.is(kubernetesPlace({}), null);
  t.is(kubernetesPlace({ KUBECONFIG: "", KUBERNETES_SERVICE_HOST: "" }), null);
  t.deepEqual(kubernetesPlace({ KUBERNETES_SERVICE_HOST: "h" }), {
    kind: "pod",
    host: "h",
    port: "443",
  });
  t.deepEqual(kubernetesPlace({ KUBERNETES_SERVICE_HOST: "h", KUBECONFIG: "/f" }), {
    kind: "kubeconfig",
    file: "/f",
  });
});

test("openAccess reads a pod's account, and the token again when the kubelet replaced it", async (t) => {
  const clock = new ManualClock(0);
  const account = folder(t);
  const write = (name: string, text: string): void => writeFileSync(path.join(account, name), text);
  write("ca.crt", "CA");
  write("token", "one\n");
  const access = await openAccess({ kind: "pod", host: "fd00::1", port: "443" }, clock, account);
  t.is(access.server, "https://[fd00::1]:443");
  const authorization = async (): Promise<string | null> =>
    (await access.credentials()).authorization;
  t.is(await authorization(), "Bearer one");
  write("token", "two");
  t.is(await authorization(), "Bearer one");
  clock.advance(60_000);
  t.is(await authorization(), "Bearer two");
  write("token", "");
  clock.advance(60_000);
  t.is(await authorization(), "Bearer two", "while it is being replaced the last one is good");
});

test("openAccess names what is missing of a pod's account", async (t) => {
  const place = { kind: "pod", host: "10.0.0.1", port: "443" } as const;
  const access = await openAccess(place, new ManualClock(0), folder(t));
  await t.throwsAsync(access.credentials(), { code: "misconfigured", message: /service account/ });
});

const config = (cluster: object): string =>
  JSON.stringify({
    "current-context": "t",
    clusters: [{ name: "t", cluster }],
    users: [{ name: "t", user: { token: "secret" } }],
    contexts: [{ name: "t", context: { cluster: "t", user: "t" } }],
  });

test("openAccess reads a kubeconfig", async (t) => {
  const file = path.join(folder(t), "config");
  const ca = Buffer.from("CA").toString("base64");
  writeFileSync(
    file,
    config({
      server: "https://x:1/prefix/",
      "certificate-authority-data": ca,
      "tls-server-name": "n",
    }),
  );
  const access = await openAccess({ kind: "kubeconfig", file }, new ManualClock(0));
  t.is(access.server, "https://x:1/prefix");
  t.deepEqual(await access.credentials(), {
    ca: "CA",
    certificate: null,
    privateKey: null,
    serverName: "n",
    authorization: "Bearer secret",
  });
});

const faulty: readonly [title: string, text: string][] = [
  ["a missing file", ""],
  ["no YAML", "\u0000: ["],
  ["plain HTTP", config({ server: "http://x" })],
  [
    "a server that is not verified",
    config({ server: "https://x", "insecure-skip-tls-verify": true }),
  ],
  ["no context", JSON.stringify({ clusters: [], users: [], contexts: [] })],
];
for (const [title, text] of faulty) {
  test(`openAccess refuses a kubeconfig with ${title}`, async (t) => {
    const file = path.join(folder(t), "config");
    if (text !== "") writeFileSync(file, text);
    const opened = openAccess({ kind: "kubeconfig", file }, new ManualClock(0));
    await t.throwsAsync(opened, { code: "misconfigured", message: /Cannot use kubeconfig/ });
  });
}
