// Who has the mesh's keys, on a real API server: a root of the controllers' own, or an intermediate whose
// root stays elsewhere; and what a Secret that cannot be used is answered with.
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { createIntermediate } from "#/ca/authority-certificate.ts";
import { writeAuthority } from "#/ca/authority-pem.ts";
import { makeIntermediate, makeRoot, newRecord, toSecret } from "#/ca/mesh-authorities.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { toPem } from "#/identity/bundle.ts";
import { Site } from "../kit/controller-site.ts";
import { ControlPlane } from "./control-plane.ts";
import type { Started } from "./controller.ts";
import { startOn } from "./controller.ts";
import { eventually } from "./eventually.ts";
import { namespaceObject } from "./objects.ts";

const certsDev = fileURLToPath(new URL("../../certs-dev/main.ts", import.meta.url));
const trustDomain = parseTrustDomain("cluster.local");
const dayMs = 86_400_000;

interface Secret {
  readonly metadata: { readonly resourceVersion: string };
  readonly immutable?: boolean;
  readonly data: Readonly<Record<string, string>>;
}

let plane: ControlPlane;
let site: Site;
test.before(async () => {
  [plane, site] = [await ControlPlane.start(), await Site.create()];
  await plane.apply(namespaceObject("signet-system"));
});
test.after.always(async () => {
  await plane?.[Symbol.asyncDispose]();
  await site?.[Symbol.asyncDispose]();
});

const where = ["-n", "signet-system", "secret", "signet-ca"];
const stored = async (): Promise<Secret> => (await plane.get(...where)) as Secret;
const forget = (): Promise<string> => plane.kubectl("delete", "--ignore-not-found", ...where);
const start = (name: string): Promise<Started> =>
  startOn({ name, folder: site.folder, kubeconfig: plane.kubeconfig, custody: "secret" });
const bundle = async (): Promise<string> => {
  const { data } = (await plane.get("-n", "signet-system", "configmap", "signet-trust-bundle")) as {
    data: Record<string, string>;
  };
  return data["bundle.pem"] ?? "";
};

test.serial("an intermediate of an offline root is used as it is", async (t) => {
  const out = path.join(site.folder, "ca");
  const exported = execFileSync(process.execPath, [certsDev, "export", "secret", "--out", out]);
  await plane.apply(JSON.parse(exported.toString()) as object);
  const before = await stored();
  t.deepEqual(Object.keys(before.data).sort(), [
    "intermediate.crt",
    "intermediate.key",
    "root.crt",
  ]);
  await using started = await start("offline");
  const told = started.said.info.find((line) => line.startsWith("authority in force"));
  t.regex(told ?? "", /"custody":"offline_root".*"intermediate_not_after":"20/);
  t.deepEqual(
    started.said.warn.filter((line) => line.includes("root's key")),
    [],
  );
  await eventually(async () => (await bundle().catch(() => "")) === toPem(site.root), 25_000);
  const after = await stored();
  t.is(after.metadata.resourceVersion, before.metadata.resourceVersion, "nothing is written");

  // A newer intermediate takes its place, without a moment in which there is none.
  await using newer = await Site.create();
  const next = ["export", "secret", "--out", path.join(newer.folder, "ca")];
  await plane.apply(
    JSON.parse(execFileSync(process.execPath, [certsDev, ...next]).toString()) as object,
  );
  t.not((await stored()).metadata.resourceVersion, before.metadata.resourceVersion);
});

test.serial("without a Secret a root is made, once, and each start says so loudly", async (t) => {
  await forget();
  const [first, second] = await Promise.all([start("first"), start("second")]);
  await using _first = first;
  await using _second = second;
  const { data, immutable, metadata } = await stored();
  t.is(immutable, undefined, "it can be rotated");
  const pem = (name: string): string => Buffer.from(data[name] ?? "", "base64").toString();
  t.true(new X509Certificate(pem("root.crt")).checkIssued(new X509Certificate(pem("root.crt"))));
  for (const { said } of [first, second]) {
    const told = said.warn.find((line) => line.startsWith("authority in force"));
    t.regex(told ?? "", /with the root's key in the cluster.*"custody":"managed".*SECURITY\.md/);
  }
  await using _third = await start("third");
  t.is((await stored()).metadata.resourceVersion, metadata.resourceVersion);
});

interface AuthorityAnswer {
  readonly roots: readonly { readonly fingerprint: string }[];
  readonly last: { readonly id: string; readonly end: string } | null;
}

test.serial(
  "two controllers rotate the root: one drives, the other follows without a restart",
  async (t) => {
    await forget();
    await using first = await start("drives-1");
    await using second = await start("drives-2");
    const told = async (of: Started): Promise<AuthorityAnswer> =>
      (await of.get("/v1/authority")) as AuthorityAnswer;
    const before = await told(first);
    t.deepEqual(before.roots, (await told(second)).roots);
    const formerKey = (await stored()).data["root.key"]!;
    const request = { id: "one", at: Date.now(), action: "rotate", of: "root" };
    await plane.apply({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "signet-rotation", namespace: "signet-system" },
      data: { request: JSON.stringify(request) },
    });
    for (const each of [first, second]) {
      await eventually(async () => (await told(each)).last?.end === "rotated", 40_000);
      await eventually(async () => (await told(each)).roots.length === 1, 10_000);
    }
    const after = await told(first);
    t.deepEqual(after.roots, (await told(second)).roots);
    t.notDeepEqual(after.roots, before.roots);
    const { data } = await stored();
    t.false(JSON.stringify(data).includes(formerKey), "the former key is gone");
    await eventually(
      async () => (await bundle()) === Buffer.from(data["root.crt"]!, "base64").toString(),
      25_000,
    );

    // Somebody's slip leaves the last good one in force, and is said.
    await plane.kubectl(
      "patch",
      ...where,
      "--type=merge",
      "-p",
      '{"data":{"intermediate.key":"eA=="}}',
    );
    await eventually(
      async () => first.said.error.some((line) => line.includes("last good one stays")),
      10_000,
    );
    t.deepEqual((await told(first)).roots, after.roots);
  },
);

test.serial(
  "a Secret that cannot be used is left alone, and said what is wrong with",
  async (t) => {
    const now = Date.now();
    const [root, other] = [await makeRoot(trustDomain, now), await makeRoot(trustDomain, now)];
    const good = await makeIntermediate(root, trustDomain, now);
    const foreign = await makeIntermediate(other, trustDomain, now);
    const elsewhere = await makeIntermediate(root, parseTrustDomain("other.example"), now);
    const past = { notBefore: now - 2 * dayMs, notAfter: now - dayMs };
    const ended = await createIntermediate(root, { name: "ended", trustDomain, ...past });
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const secret = (change: Readonly<Record<string, string | null>>): object => {
      const whole = toSecret(newRecord({ root, intermediate: good, withRootKey: false })) as Secret;
      const data: Record<string, string> = { ...whole.data };
      for (const [name, text] of Object.entries(change)) {
        if (text === null) delete data[name];
        else data[name] = base64(text);
      }
      return { ...whole, data };
    };
    const of = (authority: typeof good): Record<string, string> => ({
      "intermediate.crt": writeAuthority(authority).certificate,
      "intermediate.key": writeAuthority(authority).privateKey,
    });
    const faults: readonly [what: string, object: object, message: RegExp][] = [
      ["no certificate", secret({ "intermediate.crt": null }), /it has no "intermediate\.crt"/],
      ["no key", secret({ "intermediate.key": null }), /it has no "intermediate\.key"/],
      ["no root", secret({ "root.crt": "" }), /it has no "root\.crt"/],
      ["a root that is none", secret({ "root.crt": "hello" }), /it holds no certificate/],
      ["a key that is none", secret({ "intermediate.key": "hello" }), /the key cannot be read/],
      [
        "another's key",
        secret({ "intermediate.key": of(foreign)["intermediate.key"]! }),
        /not the certificate's/,
      ],
      ["another root's intermediate", secret(of(foreign)), /its chain does not verify/],
      ["another trust domain's", secret(of(elsewhere)), /its chain does not verify/],
      ["one that has ended", secret(of(ended)), /the intermediate has expired/],
    ];
    for (const [what, object, message] of faults) {
      await forget();
      await plane.apply(object);
      const before = await stored();
      const refused = await t.throwsAsync(start("refused"), { code: "authority_unreadable" }, what);
      t.regex(refused?.message ?? "", /^Cannot use Secret "signet-system\/signet-ca": /, what);
      t.regex(refused?.message ?? "", message, what);
      t.deepEqual(await stored(), before, what);
    }
  },
);
