import { X509Certificate } from "node:crypto";
import test from "ava";
import * as forge from "#/test/kit/forge.ts";
import { checkpointText } from "./checkpoint.ts";
import { emptyFrontier } from "./frontier.ts";
import { Growth } from "./growth.ts";
import { hashLeaf } from "./hash.ts";
import { signNote } from "./note.ts";
import { issuerSignerName, pathBytes, receiptFault } from "./receipt.ts";
import type { Receipt } from "./receipt.ts";

const root = forge.makeAuthority("root", null, forge.authorityExtensions("any"));
const issuer = forge.makeAuthority("issuer", root, forge.authorityExtensions(0));
const otherIssuer = forge.makeAuthority("issuer", root, forge.authorityExtensions(0));

function leafOf(name: string): Uint8Array {
  return forge.forge({
    subject: "",
    key: forge.newKey(),
    issuer,
    extensions: forge.leafExtensions(`spiffe://cluster.local/ns/a/sa/${name}`),
  });
}

const leaf = leafOf("a");
const other = leafOf("b");
const entryOf = (der: Uint8Array): Buffer =>
  Buffer.from(JSON.stringify({ version: 1, certificate: Buffer.from(der).toString("base64") }));
const entries = [leafOf("c"), leafOf("d"), leaf, other, leafOf("e")].map(entryOf);
const growth = new Growth(emptyFrontier);
for (const entry of entries) growth.append(hashLeaf(entry), () => undefined);

function receiptOf(index: number, key = issuer.key, size = entries.length): Receipt {
  const head = checkpointText({ origin: "signet.dev/log/test", ...growth.tree(), size });
  const checkpoint = signNote(head, [{ name: issuerSignerName, privateKey: key }]);
  const path = pathBytes(growth.inclusion(index));
  return { checkpoint, index, entry: entries[index]!, path };
}

const chain = [leaf, issuer.der];
const good = receiptOf(2);

test("receiptFault finds nothing wrong with what was logged", (t) => {
  t.is(receiptFault(good, chain), null);
  t.is(receiptFault(receiptOf(3), [other, issuer.der]), null);
});

const turned = Uint8Array.from(good.path);
turned[40]! ^= 1;
for (const [title, receipt, expected] of [
  ["another certificate's entry", receiptOf(3), /another certificate/],
  ["a head that another issuer signed", receiptOf(2, otherIssuer.key), /none of .* signed it/],
  ["a head that nobody signed", { ...good, checkpoint: "" }, /no signatures/],
  ["a head of another size", { ...good, ...receiptOf(2, issuer.key, 9) }, /not in the log/],
  ["another position", { ...good, index: 1 }, /not in the log/],
  ["a position that is none", { ...good, index: -1 }, /not in the log/],
  ["a path with a bit turned over", { ...good, path: turned }, /not in the log/],
  ["no path", { ...good, path: new Uint8Array(0) }, /not in the log/],
  ["half a hash", { ...good, path: good.path.subarray(5) }, /no sequence of hashes/],
  ["an entry that says more", { ...good, entry: more(good.entry) }, /not in the log/],
  ["an entry that is none", { ...good, entry: Buffer.from("null") }, /another certificate/],
] as const) {
  test(`receiptFault refuses ${title}`, (t) =>
    t.regex(receiptFault(receipt, chain) ?? "", expected));
}

test("receiptFault needs an issuer", (t) => {
  t.regex(receiptFault(good, [leaf]) ?? "", /no issuer/);
  t.regex(receiptFault(good, []) ?? "", /no issuer/);
  t.regex(receiptFault(good, [leaf, Buffer.from("no certificate")]) ?? "", /./);
});

test("an issuer of the same name does not vouch for another's log", (t) => {
  const names = [issuer, otherIssuer].map(({ der }) => new X509Certificate(der).subject);
  t.is(names[0], names[1]);
  t.regex(receiptFault(good, [leaf, otherIssuer.der]) ?? "", /none of .* signed it/);
});

function more(entry: Uint8Array): Uint8Array {
  const told = JSON.parse(Buffer.from(entry).toString()) as object;
  return Buffer.from(JSON.stringify({ ...told, policy: "another" }));
}
