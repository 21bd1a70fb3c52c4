// Bundles that somebody would like to be taken up: poisoned, rewound, of somebody else.
import test from "ava";
import { writeBundleDocument } from "#/identity/bundle-document.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { createAuthority } from "#/test/kit/authority.ts";
import { judgeBundle } from "./judge.ts";

const own = parseTrustDomain("cluster.local");
const partner = parseTrustDomain("partner.mesh");
const third = parseTrustDomain("third.mesh");
const nobody = { trustDomain: partner, held: null, others: new Map() };

const documentOf = (root: Uint8Array, sequence: number | null): string => {
  const written = writeBundleDocument({
    roots: [root],
    jwtAuthorities: [],
    since: 0,
    refreshHintS: 5,
  });
  const { spiffe_sequence: _, ...rest } = JSON.parse(written) as Record<string, unknown>;
  return JSON.stringify(sequence === null ? rest : { ...rest, spiffe_sequence: sequence });
};

test("judgeBundle takes up what is newer, and what is as new", async (t) => {
  const { root } = await createAuthority();
  t.is(judgeBundle(documentOf(root, 7), nobody).sequence, 7);
  for (const before of [null, 6, 7]) {
    const held = { sequence: before };
    t.is(judgeBundle(documentOf(root, 7), { ...nobody, held }).sequence, 7);
  }
  t.is(judgeBundle(documentOf(root, null), { ...nobody, held: { sequence: null } }).sequence, null);
});

test("judgeBundle refuses a sequence that is rewound or has gone", async (t) => {
  const { root } = await createAuthority();
  const facts = { ...nobody, held: { sequence: 8 } };
  const rewound = t.throws(() => judgeBundle(documentOf(root, 7), facts), {
    code: "bundle_refused",
  });
  t.regex(rewound?.message ?? "", /sequence 7 is behind 8/);
  t.throws(() => judgeBundle(documentOf(root, null), facts), { message: /has no sequence/ });
});

test("judgeBundle refuses a root of the mesh itself, and one of another trust domain", async (t) => {
  const [ours, theirs, others] = await Promise.all(
    ["a", "b", "c"].map((name) => createAuthority(name)),
  );
  const facts = {
    ...nobody,
    others: new Map([
      [own, [ours!.root]],
      [third, [others!.root]],
    ]),
  };
  t.is(judgeBundle(documentOf(theirs!.root, 1), facts).roots.length, 1);
  t.throws(() => judgeBundle(documentOf(ours!.root, 1), facts), {
    code: "bundle_refused",
    message: /of trust domain "cluster\.local"/,
  });
  t.throws(() => judgeBundle(documentOf(others!.root, 1), facts), { message: /"third\.mesh"/ });
});

test("judgeBundle says what is wrong with what is no bundle", (t) => {
  t.throws(() => judgeBundle("<html>", nobody), { code: "bundle_refused", message: /no JSON/ });
});
