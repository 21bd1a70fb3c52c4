import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import type { ExecutionContext } from "ava";
import { fingerprint, toPem } from "#/identity/bundle.ts";
import { readCertificate } from "#/identity/certificate.ts";
import type { Svid } from "#/identity/svid.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { golden } from "#/test/kit/golden.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { UsageError } from "../args.ts";
import type { Mesh, Pod } from "../mesh.ts";
import { MeshAccessError } from "../mesh.ts";
import { createPrinter } from "../print.ts";
import { certsDiff } from "./certs-diff.ts";
import { certsWho } from "./certs-who.ts";
import { certsInspect, certsList } from "./certs.ts";
import type { Action, CommandContext } from "./context.ts";

const NOW = Date.UTC(2026, 10, 21, 8, 5, 0);
const MINUTE = 60_000;
const authority = await createAuthority();
const id = (namespace: string): string => `spiffe://cluster.local/ns/${namespace}/sa/${namespace}`;
const lives = { notBefore: NOW - 5 * MINUTE, notAfter: NOW + 10 * MINUTE };
const [a, b] = await Promise.all([
  authority.issue(id("app-a"), lives),
  authority.issue(id("app-b"), lives),
]);

interface Entry {
  readonly index: number;
  readonly id: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
  readonly podUid: string;
  readonly address: string;
  readonly node: string;
  readonly policy: string;
  readonly tokenHash: string;
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly serial: string;
  readonly issuerSerial: string;
  readonly keyFingerprint: string;
  readonly chain: readonly string[];
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const keyOf = (svid: Svid): string => fingerprint(readCertificate(svid.chain[0]!).publicKey.der);

function entry(index: number, svid: Svid, namespace: string, change: Partial<Entry> = {}): Entry {
  return {
    index,
    id: id(namespace),
    namespace,
    serviceAccount: namespace,
    pod: `${namespace}-1`,
    podUid: `uid-${namespace}`,
    node: "node-then",
    policy: "identity; token-review; default life",
    address: "10.77.1.2",
    tokenHash: "ab".repeat(32),
    issuedAt: NOW - 5 * MINUTE,
    ...lives,
    serial: svid.serial,
    issuerSerial: "01",
    keyFingerprint: keyOf(svid),
    chain: svid.chain.map(base64),
    ...change,
  };
}

const old = (index: number, change: Partial<Entry> = {}): Entry =>
  entry(index, b, "app-b", {
    serial: index.toString(16).padStart(32, "f"),
    issuedAt: NOW - 15 * MINUTE,
    notAfter: NOW - MINUTE,
    keyFingerprint: "cd".repeat(32),
    node: "",
    policy: "",
    chain: [],
    ...change,
  });

const podOf = (namespace: string, change: Partial<Pod> = {}): Pod => ({
  namespace,
  name: `${namespace}-1`,
  address: "10.77.1.2",
  serviceAccount: namespace,
  phase: "Running",
  labels: {},
  isReady: true,
  isMeshed: true,
  node: "node-1",
  uid: `uid-${namespace}`,
  ...change,
});

class FakeMesh {
  entries: Entry[] = [old(0), entry(1, a, "app-a"), entry(2, b, "app-b")];
  pods: Pod[] = [podOf("app-a"), podOf("app-b")];
  asked: string[] = [];
  metricsOf: (pod: Pod) => number | null = () => lives.notAfter / 1000;

  readonly mesh = {
    place: "this machine",
    trustDomain: async () => "cluster.local",
    pods: async () => this.pods,
    bundle: async () => toPem(authority.root),
    objects: async (kind: string) =>
      kind === "Namespace"
        ? ["app-a", "app-b"].map((name) => ({ apiVersion: "v1", kind, metadata: { name } }))
        : [
            {
              apiVersion: "signet.dev/v1alpha1",
              kind,
              metadata: { name: "s" },
              spec: { identity: id("app-b"), reason: "stolen" },
            },
          ],
    metrics: async (pod: Pod) => {
      const held = this.metricsOf(pod);
      if (held === null) throw new Error("no answer");
      return `signet_proxy_certificate_not_after_seconds ${held}\n`;
    },
    inspect: async (asked: string) => {
      this.asked.push(asked);
      const { pathname, searchParams } = new URL(asked, "http://x");
      if (pathname === "/v1/proxies") {
        return [{ proxies: [{ pod: "app-a/app-a-1", serial: a.serial }] }];
      }
      if (pathname === "/v1/policies") {
        const source = "PeerAuthentication app-a/default";
        return [{ pods: [{ pod: "app-a/app-a-1", mode: "strict", source }] }];
      }
      return [this.#certificates(searchParams)];
    },
  } as unknown as Mesh;

  #certificates(asked: URLSearchParams): object {
    const before = Number(asked.get("before") ?? Infinity);
    const found = this.entries.filter(
      (each) =>
        each.index < before &&
        ["namespace", "pod", "serial"].every((name) => {
          const wanted = asked.get(name);
          return wanted === null || each[name as "serial"] === wanted;
        }),
    );
    return {
      pod: "signet-controller-0",
      total: this.entries.length,
      certificates: found.toReversed().slice(0, 1_000),
    };
  }
}

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `onWait`: each wait passes at once, and this happens in it. */
async function run(
  command: (context: CommandContext, mesh: Mesh) => ReturnType<Action>,
  { mesh }: FakeMesh,
  words: CommandContext["words"] = {},
  given: CommandContext["options"] & { readonly json?: true } = {},
  onWait: () => void = () => {},
): Promise<Said> {
  const out: string[] = [];
  const err: string[] = [];
  const { json, ...options } = given;
  const environment = { LANG: "C.UTF-8" };
  const stdout = { write: (text: string) => out.push(text) };
  const stderr = { write: (text: string) => err.push(text) };
  const clock = new ManualClock(NOW);
  const after = (delayMs: number, callback: () => void): (() => void) => {
    clock.advance(delayMs);
    onWait();
    queueMicrotask(callback);
    return () => {};
  };
  const code = await command(
    {
      print: createPrinter(json === true ? "json" : "table", environment, stdout, stderr),
      clock: { now: () => NOW, monotonic: () => clock.monotonic(), after },
      signal: new AbortController().signal,
      names: { prefix: "none", stateDirectory: "/nonexistent" },
      repository: "/nonexistent",
      words,
      options,
    },
    mesh,
  );
  return { code, out: out.join(""), err: err.join("") };
}

/** Serial numbers, fingerprints and times of test certificates differ from run to run. */
function stable(text: string): string {
  return [a, b].reduce((rest, svid, index) => {
    const letter = "ab"[index]!;
    const colons = (hex: string): string => (hex.match(/../g) ?? []).join(":");
    const der = fingerprint(svid.chain[0]!);
    return [svid.serial, der, keyOf(svid)].reduce(
      (known, hex) =>
        known
          .replaceAll(hex, letter.repeat(hex.length))
          .replaceAll(colons(hex), colons(letter.repeat(hex.length))),
      rest,
    );
  }, text);
}

const goldenOf = (name: string, text: string): string =>
  golden(new URL(`../golden/certs-${name}.txt`, import.meta.url), text);

function folder(t: ExecutionContext): string {
  const made = mkdtempSync(path.join(tmpdir(), "signet-certs-"));
  t.teardown(() => rmSync(made, { recursive: true }));
  return made;
}

const serialsIn = (text: string): readonly string[] =>
  (JSON.parse(text) as { certificates: { serial: string }[] }).certificates.map(
    ({ serial }) => serial,
  );

test("certs list filters by namespace, identity and end, of all or of the newest", async (t) => {
  const fake = new FakeMesh();
  const list = async (options: Parameters<typeof run>[3]): Promise<readonly string[]> =>
    serialsIn((await run(certsList, fake, {}, { ...options, json: true })).out);
  t.deepEqual(await list({}), [a.serial, b.serial]);
  t.deepEqual(await list({ namespace: "app-b" }), [b.serial]);
  t.deepEqual(await list({ identity: "app-a/app-a" }), [a.serial]);
  t.deepEqual(await list({ identity: id("app-b"), all: true }), [b.serial, old(0).serial]);
  t.deepEqual(await list({ all: true, "ends-within": "1m" }), [old(0).serial]);
  t.deepEqual(await list({ "ends-within": "9m" }), []);
  t.deepEqual(await list({ "ends-within": "10m" }), [a.serial, b.serial]);
  const error = await t.throwsAsync(list({ "ends-within": "soon" }), { instanceOf: UsageError });
  t.regex(error?.message ?? "", /--ends-within "soon": it is no time/);
  await t.throwsAsync(list({ identity: "app" }), { instanceOf: MeshAccessError });
});

test("certs list prints PEM, and lists files", async (t) => {
  const fake = new FakeMesh();
  const { out } = await run(certsList, fake, {}, { namespace: "app-a", pem: true });
  t.is(out, toPem(a.chain[0]!));
  const file = path.join(folder(t), "chain.pem");
  writeFileSync(file, a.chain.map(toPem).join("") + toPem(authority.root));
  const files = { files: [file] };
  const listed = await run(certsList, fake, files);
  t.regex(
    listed.out,
    new RegExp(`${id("app-a")} +leaf +${a.serial} .*chain\\.pem #0 .* 10m 00s\n`),
  );
  t.is(listed.out.match(/ authority /g)?.length, 2);
  t.is((await run(certsList, fake, files, { pem: true })).out.match(/BEGIN/g)?.length, 3);
  t.deepEqual(
    serialsIn((await run(certsList, fake, files, { "ends-within": "1h", json: true })).out),
    [a.serial],
  );
  await t.throwsAsync(run(certsList, fake, { files: ["/nonexistent.pem"] }), {
    instanceOf: MeshAccessError,
  });
});

test("certs list --live shows what each sidecar holds beside what was issued", async (t) => {
  const fake = new FakeMesh();
  fake.pods = [
    podOf("app-a"),
    podOf("app-b"),
    podOf("app-c"),
    podOf("app-d"),
    podOf("outside", { isMeshed: false }),
  ];
  fake.metricsOf = ({ namespace }) =>
    ({ "app-a": lives.notAfter / 1000, "app-b": NOW / 1000 + 30, "app-c": 0 })[namespace] ?? null;
  const { out } = await run(certsList, fake, {}, { live: true });
  t.is(stable(out), goldenOf("live", stable(out)));
  const late = await run(certsList, fake, {}, { live: true, "ends-within": "1m", json: true });
  const { sidecars } = JSON.parse(late.out) as { sidecars: { pod: string; state: string }[] };
  t.deepEqual(
    sidecars.map(({ pod, state }) => `${pod} ${state}`),
    ["app-b-1 behind", "app-c-1 none", "app-d-1 silent"],
  );
});

test("certs who tells of one certificate who asked for it, and what is known now", async (t) => {
  const fake = new FakeMesh();
  const { out } = await run(certsWho, fake, { whose: [a.serial] });
  t.is(stable(out), goldenOf("who", stable(out)));
  for (const whose of [
    fingerprint(a.chain[0]!),
    keyOf(a).toUpperCase(),
    `SHA256:${fingerprint(a.chain[0]!)}`,
    a.serial.match(/../g)!.join(":"),
  ]) {
    const found = await run(certsWho, fake, { whose: [whose] }, { json: true });
    t.deepEqual(serialsIn(found.out), [a.serial], whose);
  }
});

test("certs who tells of an identity everybody who asked to be it", async (t) => {
  const fake = new FakeMesh();
  fake.pods = [podOf("app-b", { uid: "another" })];
  const { out, err } = await run(certsWho, fake, { whose: ["app-b/app-b"] });
  t.is(stable(out + err), goldenOf("who-identity", stable(out + err)));
  const one = await run(certsWho, fake, { whose: [id("app-b")] }, { limit: "1", json: true });
  t.deepEqual(serialsIn(one.out), [b.serial]);
});

test("certs who reads a long log page by page, and no further than it goes", async (t) => {
  const fake = new FakeMesh();
  fake.entries = Array.from({ length: 2_500 }, (_, index) => old(index));
  const sought = fake.entries[3]!;
  fake.entries[3] = { ...sought, keyFingerprint: "ef".repeat(32) };
  const { out } = await run(certsWho, fake, { whose: ["ef".repeat(32)] }, { json: true });
  t.deepEqual(serialsIn(out), [sought.serial]);
  const pages = fake.asked.filter((each) => each.startsWith("/v1/certificates"));
  t.deepEqual(pages, [
    "/v1/certificates?",
    "/v1/certificates?before=1500",
    "/v1/certificates?before=500",
  ]);
});

for (const [whose, limit, message] of [
  ["ab".repeat(16), "20", /no log has it/],
  ["app-c/app-c", "20", /no log has it/],
  ["app", "20", /Cannot tell whom "app" means/],
  [a.serial, "none", /--limit "none": it is no number from 1/],
  [a.serial, "0", /--limit "0"/],
] as const) {
  test(`certs who refuses "${stable(whose)}" with limit ${limit}`, async (t) => {
    await t.throwsAsync(run(certsWho, new FakeMesh(), { whose: [whose] }, { limit }), { message });
  });
}

test("certs diff tells what differs, field by field, and exits as diff does", async (t) => {
  const fake = new FakeMesh();
  const words = { one: ["app-a"], other: ["app-b"] };
  const { out, code } = await run(certsDiff, fake, words);
  t.is(code, 1);
  t.is(stable(out), goldenOf("diff", stable(out)));
  const all = await run(certsDiff, fake, words, { all: true });
  t.regex(all.out, /^✔ +signed with +ecdsa-with-SHA256 +the same$/m);
  const file = path.join(folder(t), "a.pem");
  writeFileSync(file, a.chain.map(toPem).join(""));
  const same = await run(certsDiff, fake, { one: [file], other: [a.serial] });
  t.is(same.code, 0, same.out);
  t.is(same.out, "the same certificate in every field\n");
  const json = await run(certsDiff, fake, words, { json: true });
  const { isSame, fields } = JSON.parse(json.out) as {
    isSame: boolean;
    fields: { name: string; isSame: boolean }[];
  };
  t.false(isSame);
  t.true(fields.some((field) => field.name === "key usage" && field.isSame));
});

test("certs inspect takes a serial number of the log", async (t) => {
  const fake = new FakeMesh();
  const { out, code } = await run(certsInspect, fake, { source: [a.serial] });
  t.is(code, 0, out);
  t.regex(out, new RegExp(`^source +serial ${a.serial}$`, "m"));
  t.regex(out, /all \d+ checks passed/);
  await t.throwsAsync(run(certsInspect, fake, { source: ["ab".repeat(16)] }), {
    message: /no log has it/,
  });
});
