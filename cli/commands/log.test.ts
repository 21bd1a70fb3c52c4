import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { said } from "#/test/kit/said.ts";
import { emptyFrontier, frontierRoot, grow } from "#/transparency/frontier.ts";
import type { Digest } from "#/transparency/hash.ts";
import { hashLeaf } from "#/transparency/hash.ts";
import { proveConsistency, proveInclusion } from "#/transparency/tree.ts";
import type { Mesh } from "../mesh.ts";
import { logHead, logProve, logVerify } from "./log.ts";

const id = "spiffe://cluster.local/ns/app-a/sa/app-a";
const leaf = Buffer.from("a leaf's DER");

/** A log of so many entries; the third is the certificate of app-a/a-1. */
class FakeLog {
  readonly #entries: readonly string[];
  readonly #hashes = new Map<string, Digest>();
  #frontier = emptyFrontier;

  constructor(size: number, changed: number | null = null) {
    this.#entries = Array.from({ length: size }, (_each, index) =>
      JSON.stringify({
        id: index === changed ? "spiffe://cluster.local/ns/x/sa/x" : id,
        index,
        certificate: leaf.toString("base64"),
      }),
    );
    for (const entry of this.#entries) {
      const keep = (level: number, at: number, hash: Digest): void =>
        void this.#hashes.set(`${level}/${at}`, hash);
      this.#frontier = grow(this.#frontier, hashLeaf(Buffer.from(entry)), keep);
    }
  }

  readonly #read = (level: number, index: number): Digest => this.#hashes.get(`${level}/${index}`)!;

  head(): object {
    return { size: this.#entries.length, root: base64(frontierRoot(this.#frontier)) };
  }

  inclusion(index: number): object {
    const proof = proveInclusion(index, this.#entries.length, this.#read).map(base64);
    return { index, entry: this.#entries[index], proof, head: this.head() };
  }

  consistency(before: number): object {
    const size = this.#entries.length;
    const proof = before > size ? [] : proveConsistency(before, size, this.#read).map(base64);
    return { before, proof, head: this.head() };
  }
}

const base64 = (digest: Uint8Array): string => Buffer.from(digest).toString("base64");

const certificate = {
  index: 2,
  id,
  namespace: "app-a",
  pod: "a-1",
  issuedAt: 1000,
  notBefore: 0,
  notAfter: 901_000,
  serial: "0a0b",
  issuerSerial: "01",
  chain: [base64(leaf)],
};
const pod = {
  namespace: "app-a",
  name: "a-1",
  address: "10.0.0.1",
  serviceAccount: "app-a",
  phase: "Running",
  isReady: true,
  isMeshed: true,
  labels: {},
};

/** Two controllers; the second one's log is empty. */
function meshWith(log: FakeLog, inclusion: unknown = log.inclusion(2)): Mesh {
  const mesh = {
    pods: async () => [pod],
    bundle: async () => null,
    inspect: async (asked: string) => {
      const url = new URL(asked, "http://x");
      if (url.pathname === "/v1/certificates") return [{ certificates: [certificate] }, []];
      const one = { pod: "signet-controller-0" };
      const other = { pod: "signet-controller-1" };
      switch (url.pathname) {
        case "/v1/log/head":
          return [{ ...one, head: log.head(), first: 0, checkpoint: null }];
        case "/v1/log/inclusion":
          return [
            { ...other, inclusion: null },
            { ...one, inclusion },
          ];
        default:
          return [
            { ...other, consistency: null },
            { ...one, consistency: log.consistency(Number(url.searchParams.get("before"))) },
          ];
      }
    },
  };
  return mesh as unknown as Mesh;
}

test("log prove says which entry it is, and checks the way to the root itself", async (t) => {
  const { text, code } = await said(logProve, meshWith(new FakeLog(5)), {
    words: { pod: ["a-1"] },
  });
  t.is(code, 0);
  t.regex(text, /entry +2 of 5/);
  t.regex(text, /log of +signet-controller-0/);
});

for (const [title, inclusion] of [
  ["another entry's proof", { ...new FakeLog(5).inclusion(2), index: 3 }],
  ["a proof that lacks a hash", { ...new FakeLog(5).inclusion(2), proof: [] }],
  ["an entry that was changed", { ...new FakeLog(5, 2).inclusion(2), head: new FakeLog(5).head() }],
  ["another certificate's entry, well proven", new FakeLog(5, 2).inclusion(2)],
] as const) {
  test(`log prove does not believe ${title}`, async (t) => {
    const mesh = meshWith(new FakeLog(5), inclusion);
    t.is((await said(logProve, mesh, { words: { pod: ["a-1"] } })).code, 1);
  });
}

test("log prove says so when no log has the certificate", async (t) => {
  const mesh = meshWith(new FakeLog(5), null);
  await t.throwsAsync(said(logProve, mesh, { words: { pod: ["a-1"] } }), { code: "not_found" });
});

test("log verify finds a log grown, rewound, forked and gone", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-log-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "seen.json");
  const seen = await said(logHead, meshWith(new FakeLog(5)), { format: "json" });
  writeFileSync(file, seen.text);
  for (const [log, code, text] of [
    [new FakeLog(9), 0, /the 5 of then and 4 entries since/],
    [new FakeLog(5), 0, /the 5 of then and 0 entries since/],
    [new FakeLog(3), 1, /it had 5 entries and has 3: some were lost or taken away/],
    [new FakeLog(9, 1), 1, /the 5 entries of then are not what it begins with now/],
  ] as const) {
    const told = await said(logVerify, meshWith(log), { words: { file: [file] } });
    t.is(told.code, code);
    t.regex(told.text, text);
  }
  writeFileSync(file, seen.text.replace("signet-controller-0", "signet-controller-7"));
  const gone = await said(logVerify, meshWith(new FakeLog(9)), { words: { file: [file] } });
  t.is(gone.code, 1);
  t.regex(gone.text, /nobody can be asked about it now/);
});

for (const text of ["", "{}", '{"logs":[{}]}', '{"logs":[{"pod":"a","size":1,"root":"AA=="}]}']) {
  test(`log verify refuses ${JSON.stringify(text)}`, async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "signet-log-"));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "seen.json");
    writeFileSync(file, text);
    const asked = said(logVerify, meshWith(new FakeLog(5)), { words: { file: [file] } });
    await t.throwsAsync(asked, { code: "unreadable" });
  });
}
