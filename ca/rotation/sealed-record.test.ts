import { randomBytes } from "node:crypto";
import test from "ava";
import { makeIntermediate, makeNext, makeRoot, newRecord } from "../mesh-authorities.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { localKeyWrapper } from "./key-wrapper.ts";
import { fromTexts, toTexts } from "./record.ts";
import { advance, stage } from "./rotation.ts";
import { isWholeSealed, openRecord, sealRecord } from "./sealed-record.ts";

const trustDomain = parseTrustDomain("cluster.local");
const now = Date.now();
const root = await makeRoot(trustDomain, now);
const intermediate = await makeIntermediate(root, trustDomain, now);
const plain = newRecord({ root, intermediate, withRootKey: true });
const staged = stage(plain, "root", await makeNext(plain, "root", trustDomain, now), "a", now);
const wrapperOf = (...keys: readonly Uint8Array[]) =>
  localKeyWrapper(keys.map((key) => Buffer.from(key).toString("hex")).join("\n"), randomBytes);
const [one, other] = [randomBytes(32), randomBytes(32)];
const code = { code: "authority_sealed" };

test("sealRecord leaves no key to be read, at any step, and openRecord gives all back", async (t) => {
  for (const record of [plain, staged, advance(staged, now)]) {
    const texts = toTexts(await sealRecord(record, wrapperOf(one)));
    t.false(JSON.stringify(texts).includes("PRIVATE KEY"));
    const stored = fromTexts(texts);
    t.true(await isWholeSealed(stored));
    t.deepEqual(await openRecord(stored, wrapperOf(one)), record);
  }
  const again = await sealRecord(plain, wrapperOf(one));
  t.not((await sealRecord(plain, wrapperOf(one))).rootKey, again.rootKey, "never the same twice");
});

test("openRecord refuses what it has no key for, and what was changed or put elsewhere", async (t) => {
  const stored = await sealRecord(plain, wrapperOf(one));
  await t.throwsAsync(openRecord(stored, null), { ...code, message: /a key that is not given/ });
  await t.throwsAsync(openRecord(stored, wrapperOf(other)), { ...code, message: /another key/ });
  const swapped = { ...stored, rootKey: stored.intermediateKey };
  await t.throwsAsync(openRecord(swapped, wrapperOf(one)), {
    ...code,
    message: /another certificate/,
  });
  const key = stored.rootKey!;
  const at = key.length - 10;
  const flipped = `${key.slice(0, at)}${key[at] === "A" ? "B" : "A"}${key.slice(at + 1)}`;
  await t.throwsAsync(openRecord({ ...stored, rootKey: flipped }, wrapperOf(one)), code);
  for (const cut of ["signet-wrapped-key:v1:", key.slice(0, 45), "signet-wrapped-key:v2:a:AAAA"]) {
    await t.throwsAsync(openRecord({ ...stored, rootKey: cut }, wrapperOf(one)), code, cut);
  }
});

test("another key can wrap from now on while what the former wrapped still opens", async (t) => {
  const stored = await sealRecord(plain, wrapperOf(one));
  const both = wrapperOf(other, one);
  t.deepEqual(await openRecord(stored, both), plain);
  const renewed = await sealRecord(await openRecord(stored, both), both);
  t.deepEqual(await openRecord(renewed, wrapperOf(other)), plain);
  t.deepEqual(
    await openRecord(plain, wrapperOf(one)),
    plain,
    "what is not wrapped is taken as it is",
  );
  t.false(await isWholeSealed({ ...renewed, rootKey: plain.rootKey }));
  t.is(await sealRecord(plain, null), plain);
});

test("localKeyWrapper takes hex and base64, and nothing of another length", (t) => {
  const [hex, base64] = [one.toString("hex"), one.toString("base64")];
  t.is(localKeyWrapper(hex, randomBytes).id, localKeyWrapper(`${base64}\n`, randomBytes).id);
  t.not(localKeyWrapper(hex, randomBytes).id, wrapperOf(other).id);
  for (const text of [
    "",
    " \n",
    hex.slice(2),
    base64.slice(4),
    `${hex}\nnot a key`,
    "x".repeat(64),
  ]) {
    const error = t.throws(() => localKeyWrapper(text, randomBytes), code);
    if (text.length > 20)
      t.false(error?.message.includes(text.slice(0, 20)), "nothing is repeated");
  }
});
