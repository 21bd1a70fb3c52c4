import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { writeBundleDocument } from "#/identity/bundle-document.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { golden } from "#/test/kit/golden.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { federationFinding } from "../check/federation.ts";
import type { Federation } from "../federation/federation.ts";
import type { KubernetesObject, Mesh } from "../mesh.ts";
import { createPrinter } from "../print.ts";
import type { CommandContext } from "./context.ts";
import {
  federationAdd,
  federationBundle,
  federationList,
  federationRemove,
  federationShow,
} from "./federation.ts";

const now = Date.UTC(2026, 10, 21, 8, 5, 0);
const at = (ms: number): string => new Date(now + ms).toISOString();
const dayMs = 86_400_000;
const partner: Omit<Federation, "pod"> = {
  name: "partner",
  trustDomain: "partner.mesh",
  url: "https://203.0.113.7:8445/bundle",
  profile: "https_spiffe",
  endpointId: "spiffe://partner.mesh/ns/signet-system/sa/signet-controller",
  sequence: 1_800_000_000,
  refreshHintS: 300,
  fetchedAt: at(-40_000),
  fault: null,
  roots: [{ fingerprint: "ab".repeat(32), notAfter: at(300 * dayMs) }],
  tokenKeys: ["day-1", "day-2"],
  told: ["shop/shop-1"],
};
const stale = {
  ...partner,
  trustDomain: "other.mesh",
  url: "https://other.example/bundle",
  profile: "https_web",
  endpointId: null,
  fault: { code: "endpoint_unreachable", message: "Cannot fetch the bundle: nobody answers" },
  told: [],
};

class FakeMesh {
  readonly objects: KubernetesObject[] = [];
  federations: readonly object[] = [partner, stale];

  readonly mesh = {
    place: "this machine",
    trustDomain: async () => "cluster.local",
    pods: async () => [{ isMeshed: true }, { isMeshed: true }, { isMeshed: false }],
    objects: async () => this.objects,
    apply: async (objects: readonly KubernetesObject[]) => void this.objects.push(...objects),
    remove: async (objects: readonly KubernetesObject[]) => {
      for (const each of objects) this.objects.splice(this.objects.indexOf(each), 1);
    },
    inspect: async (asked: string) =>
      asked === "/v1/bundle"
        ? [{ keys: [], spiffe_sequence: 1 }]
        : [
            { pod: "signet-controller-0", federations: this.federations },
            { pod: "signet-controller-1", federations: this.federations },
          ],
  } as unknown as Mesh;
}

async function run(
  command: typeof federationList,
  { mesh }: FakeMesh,
  words: readonly string[] = [],
  options: CommandContext["options"] = {},
  format: "table" | "json" = "table",
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const context: CommandContext = {
    print: createPrinter(
      format,
      { LANG: "C.UTF-8" },
      { write: (text) => out.push(text) },
      { write: (text) => err.push(text) },
    ),
    clock: new ManualClock(now),
    signal: new AbortController().signal,
    names: { prefix: "none", stateDirectory: "/nonexistent" },
    repository: "/nonexistent",
    words: { "trust-domain": words },
    options,
  };
  const code = await command(context, mesh);
  return { code, out: out.join(""), err: err.join("") };
}

const goldenOf = (name: string, actual: string): string =>
  golden(new URL(`../golden/federation-${name}.txt`, import.meta.url), actual);

test("federation list shows how each bundle stands, and what is wrong", async (t) => {
  const { out, err } = await run(federationList, new FakeMesh());
  t.is(out + err, goldenOf("list", out + err));
  const json = await run(federationList, new FakeMesh(), [], {}, "json");
  const { federations } = JSON.parse(json.out) as { federations: unknown[] };
  t.is(federations.length, 4, "each controller's");
  const none = new FakeMesh();
  none.federations = [];
  t.regex((await run(federationList, none)).out, /federated with no other trust domain/);
});

test("federation show tells what each controller has", async (t) => {
  const { out } = await run(federationShow, new FakeMesh(), ["partner.mesh"]);
  t.is(out, goldenOf("show", out));
  await t.throwsAsync(run(federationShow, new FakeMesh(), ["nobody.mesh"]), { code: "not_found" });
});

test("federation bundle prints the bundle that controllers serve", async (t) => {
  const { out } = await run(federationBundle, new FakeMesh());
  t.deepEqual(JSON.parse(out), { keys: [], spiffe_sequence: 1 });
});

test("federation add writes the object, and remove takes every one of that trust domain away", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-federation-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const { root } = await createAuthority();
  const bundle = path.join(folder, "theirs.json");
  writeFileSync(
    bundle,
    writeBundleDocument({ roots: [root], jwtAuthorities: [], since: 0, refreshHintS: 5 }),
  );
  const fake = new FakeMesh();
  const url = "https://203.0.113.7:8445/bundle";
  const endpoint = { url, bundle, "endpoint-id": partner.endpointId! };
  const { out, err } = await run(federationAdd, fake, ["partner.mesh"], endpoint);
  t.is(out + err, goldenOf("add", out + err));
  const [object] = fake.objects;
  t.like(object, {
    kind: "FederatedTrustDomain",
    metadata: { name: "partner.mesh" },
    spec: {
      trustDomain: "partner.mesh",
      bundleEndpointURL: url,
      bundleEndpointProfile: { type: "https_spiffe", endpointSPIFFEID: partner.endpointId },
    },
  });
  await run(federationRemove, fake, ["partner.mesh"]);
  t.deepEqual(fake.objects, []);
  await t.throwsAsync(run(federationRemove, fake, ["partner.mesh"]), { code: "not_found" });
});

const refused: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
  ["the mesh's own trust domain", "cluster.local", { url: "https://a/b" }],
  ["no URL", "partner.mesh", {}],
  [
    "an endpoint's identity without a first bundle",
    "partner.mesh",
    { url: "https://a/b", "endpoint-id": partner.endpointId! },
  ],
];
for (const [what, name, options] of refused) {
  test(`federation add refuses ${what}, and writes nothing`, async (t) => {
    const fake = new FakeMesh();
    await t.throwsAsync(run(federationAdd, fake, [name], options), {
      message: /^Cannot federate with/,
    });
    t.deepEqual(fake.objects, []);
  });
}

const findings: readonly (readonly [
  string,
  Partial<Federation>,
  "passed" | "failed" | "info",
  RegExp,
])[] = [
  ["a fetched bundle", {}, "passed", /fetched 40 s ago|fetched 40s ago/],
  ["one that was not fetched yet", { fetchedAt: null }, "info", /was not fetched yet/],
  [
    "one that cannot be fetched",
    { fault: stale.fault },
    "failed",
    /an older one holds: Cannot fetch/,
  ],
  ["none", { roots: [], fault: stale.fault }, "failed", /nobody of it is believed: Cannot fetch/],
  [
    "one whose last root ends soon",
    { roots: [{ fingerprint: "", notAfter: at(dayMs) }] },
    "failed",
    /ends in/,
  ],
  [
    "one whose last root has ended",
    { roots: [{ fingerprint: "", notAfter: at(-1) }] },
    "failed",
    /has expired/,
  ],
];
for (const [what, change, verdict, text] of findings) {
  test(`check says of a federation with ${what}: ${verdict}`, (t) => {
    const finding = federationFinding({ ...partner, pod: "signet-controller-0", ...change }, now);
    t.is(finding.verdict, verdict);
    t.regex(finding.what, text);
    t.is(finding.next === "", verdict === "passed");
  });
}
