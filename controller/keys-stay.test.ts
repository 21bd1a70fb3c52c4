// Attack case 20, as far as it can be seen without a cluster: who may read the key that the mesh hangs on,
// and where keys and tokens never are. That the Secret's key is wrapped at rest is not built yet.
import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import test from "ava";
import type { Log } from "#/lib/log.ts";
import { parseYaml } from "#/lib/yaml.ts";
import { Site, added, podObject, ready, synced } from "#/test/kit/controller-site.ts";

/** How every P-256 key begins as PKCS #8, in the three forms in which it may go about. */
const pkcs8 = Buffer.from("308187020100301306072a8648ce3d", "hex");
const signs = [/PRIVATE KEY/, /MIGHAgEAMBMGByqGSM49/, new RegExp(pkcs8.toString("hex"))];

test("attack-20 no line of the log, no answer and no record of the controller holds a key or a token", async (t) => {
  await using site = await Site.create();
  await site.serveWorld(added(podObject), synced);
  const lines: string[] = [];
  const write = (message: string, fields: object = {}): void => {
    lines.push(JSON.stringify({ message, ...fields }));
  };
  const log: Log = { debug: write, info: write, warn: write, error: write };
  await using controller = await site.start({ SIGNET_LOG_LEVEL: "debug" }, log);
  await ready(site);
  const token = await site.token();
  await site.issue(controller, token);
  await t.throwsAsync(site.issue(controller, `${token}x`));
  const names = ["controller", "certificates", "proxies", "policies", "log/head"];
  const paths = [...names.map((name) => `/v1/${name}`), "/metrics", "/config", "/readyz"];
  const answers = await Promise.all(paths.map(async (each) => (await site.get(each)).body));
  const data = path.join(site.folder, "data");
  // The log's own key signs heads of the log and issues nothing: it has a file to itself.
  const kept = readdirSync(data).filter((name) => name !== "log-key.sqlite");
  const records = kept.map((name) => readFileSync(path.join(data, name), "latin1"));
  t.true(lines.length > 0 && records.length > 0, "there is something to look at");
  const secrets = [token, token.split(".")[2]!, pkcs8.toString("latin1"), ...(await scalars(site))];
  for (const text of [...lines, ...answers, ...records]) {
    for (const sign of signs) t.notRegex(text, sign);
    for (const secret of secrets) t.false(text.includes(secret), text.slice(0, 200));
  }
});

/** The secret numbers of root and intermediate, as hex and as JWK have them. */
async function scalars(site: Site): Promise<readonly string[]> {
  return ["root.key", "intermediate.key"].flatMap((name) => {
    const pem = readFileSync(path.join(site.folder, "ca", name));
    const { d = "" } = createPrivateKey(pem).export({ format: "jwk" });
    return [d, Buffer.from(d, "base64url").toString("hex")];
  });
}

test("attack-20 a key on disk is its owner's alone", async (t) => {
  await using site = await Site.create();
  const folder = path.join(site.folder, "ca");
  const keys = readdirSync(folder).filter((name) => name.endsWith(".key"));
  t.deepEqual(keys.toSorted(), ["intermediate.key", "root.key"]);
  for (const name of keys) t.is(statSync(path.join(folder, name)).mode & 0o777, 0o600, name);
  t.is(statSync(folder).mode & 0o777, 0o700);
});

interface Rule {
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
}

function manifests(): readonly Manifest[] {
  const folder = "k8s/base";
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  return files
    .flatMap((name) => parseYaml(readFileSync(path.join(folder, name), "utf8")))
    .map((document) => document.value() as Manifest);
}

test("attack-20 of the manifests' roles the controller's own reaches Secrets, one by name, in its namespace", (t) => {
  const roles = manifests().filter(({ kind }) => kind === "Role" || kind === "ClusterRole");
  t.true(roles.length >= 3);
  const reaching = roles.flatMap(({ kind, metadata, rules = [] }) =>
    rules
      .filter(({ resources = [] }) => resources.some((each) => /^(?:\*|secrets.*)$/.test(each)))
      .map((rule) => ({ kind, metadata, rule })),
  );
  t.true(reaching.length > 0, "the controller reads the root from somewhere");
  for (const { kind, metadata, rule } of reaching) {
    t.is(`${kind} ${metadata.namespace}/${metadata.name}`, "Role signet-system/signet-controller");
    t.false(rule.verbs.some((verb) => ["*", "deletecollection"].includes(verb)));
    // No name can be demanded of what does not exist yet. To list or watch by name reaches that name alone.
    if (rule.verbs.join() !== "create") t.deepEqual(rule.resourceNames, ["signet-ca"]);
  }
  t.false(
    manifests().some(({ kind }) => kind === "Secret"),
    "no secret is handed out",
  );
});
