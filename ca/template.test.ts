import test from "ava";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { checkLifetime, leafTemplate } from "./template.ts";
import type { TemplateRequest } from "./template.ts";

const now = Date.UTC(2030, 0, 1);
const base: TemplateRequest = {
  id: parseSpiffeId("spiffe://cluster.local/ns/a/sa/b"),
  dnsNames: [],
  publicKey: Uint8Array.of(1),
  lifetimeS: 0,
  lifetimeDefaultS: 900,
  now,
  issuer: { notBefore: now - 3_600_000, notAfter: now + 86_400_000 },
};

test("leafTemplate gives the default life and back-dates a minute", (t) => {
  const { notBefore, notAfter } = leafTemplate(base);
  t.deepEqual({ notBefore, notAfter }, { notBefore: now - 60_000, notAfter: now + 900_000 });
});

test("leafTemplate cuts to whole seconds", (t) => {
  const { notBefore, notAfter } = leafTemplate({ ...base, now: now + 999 });
  t.deepEqual({ notBefore, notAfter }, { notBefore: now - 60_000, notAfter: now + 900_000 });
});

test("leafTemplate never lets a leaf begin before or end after its issuer", (t) => {
  const issuer = { notBefore: now - 5_000, notAfter: now + 60_000 };
  const { notBefore, notAfter } = leafTemplate({ ...base, issuer });
  t.deepEqual({ notBefore, notAfter }, issuer);
});

for (const lifetimeS of [30, 86_400]) {
  test(`leafTemplate accepts the bound of ${lifetimeS} s`, (t) => {
    t.is(leafTemplate({ ...base, lifetimeS }).notAfter, now + lifetimeS * 1000);
  });
}

for (const lifetimeS of [-1, 1, 29, 29.5, 86_401, 1e9, Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`attack-3 leafTemplate refuses a life of ${lifetimeS} s`, (t) => {
    t.throws(() => leafTemplate({ ...base, lifetimeS }), { code: "lifetime_out_of_range" });
    t.throws(() => checkLifetime(lifetimeS), { code: "lifetime_out_of_range" });
  });
}

const ended: readonly (readonly [string, TemplateRequest["issuer"]])[] = [
  ["has ended", { notBefore: 0, notAfter: now }],
  ["ends before the shortest life does", { notBefore: 0, notAfter: now + 20_000 }],
  ["has not begun", { notBefore: now + 1_000, notAfter: now + 86_400_000 }],
];
for (const [title, issuer] of ended) {
  test(`leafTemplate refuses an issuer that ${title}`, (t) => {
    t.throws(() => leafTemplate({ ...base, issuer }), { code: "issuer_expired" });
  });
}
