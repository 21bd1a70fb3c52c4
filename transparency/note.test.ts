import { createPublicKey, generateKeyPairSync } from "node:crypto";
import test from "ava";
import { checkpointText, readCheckpoint } from "./checkpoint.ts";
import { hashLeaf } from "./hash.ts";
import { openNote, readVerifier, signNote, verifierText } from "./note.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const other = generateKeyPairSync("ed25519");
const name = "signet.dev/log";
const signer = { name, privateKey };
const verifier = { name, key: publicKey };
const text = "origin\n3\nroot\n";
const note = signNote(text, [signer]);

test("openNote gives the text back, and who signed it", (t) => {
  t.deepEqual(openNote(note, [verifier]), { text, signedBy: [name] });
});

test("openNote leaves out signatures of others, and needs one that is known", (t) => {
  const both = signNote(text, [{ name: "x.example/y", privateKey: other.privateKey }, signer]);
  t.deepEqual(openNote(both, [verifier]).signedBy, [name]);
  const stranger = { name: "nobody", key: other.publicKey };
  t.throws(() => openNote(both, [stranger]), { code: "note_unsigned" });
  t.throws(() => openNote(both, []), { code: "note_unsigned" });
});

test("openNote refuses a text that was changed", (t) => {
  t.throws(() => openNote(note.replace("\n3\n", "\n4\n"), [verifier]), { code: "note_unsigned" });
});

test("openNote refuses the same name with another key", (t) => {
  const forged = signNote(text, [{ name, privateKey: other.privateKey }]);
  t.throws(() => openNote(forged, [verifier]), { code: "note_unsigned" });
});

for (const [title, broken] of [
  ["nothing", ""],
  ["no signature", text],
  ["no blank line", note.replace("\n\n", "\n")],
  ["no newline at its end", note.slice(0, -1)],
  ["another dash", note.replace("\u2014", "-")],
  ["a signature that is no base64", note.replace(/ [^ ]+\n$/, " *\n")],
  ["a control character", signNote(text, [signer]).replace("origin", "ori\tgin")],
  ["more than it may have", `${"x".repeat(70_000)}\n\n${note.split("\n\n")[1]}`],
] as const) {
  test(`openNote refuses a note with ${title}`, (t) => {
    t.throws(() => openNote(broken, [verifier]), { code: "note_malformed" });
  });
}

test("a verifier's key goes to text and back", (t) => {
  const told = verifierText(verifier);
  t.regex(told, /^signet\.dev\/log\+[0-9a-f]{8}\+AQ?[A-Za-z0-9+/]+=*$/);
  const read = readVerifier(told);
  t.is(read.name, name);
  t.true(read.key.equals(publicKey));
});

// The verifier key that the signed-note specification and Go's sumdb/note package give as an example.
test("readVerifier reads the key of Go's checksum database", (t) => {
  const told = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
  t.is(verifierText(readVerifier(told)), told);
});

for (const told of [
  "",
  "name",
  "name+00000000+AQ==",
  verifierText(verifier).replace("signet.dev/log", "another"),
  verifierText(verifier).replace("+A", "+B"),
]) {
  test(`readVerifier refuses "${told.slice(0, 30)}"`, (t) => {
    t.throws(() => readVerifier(told), { code: "note_key_invalid" });
  });
}

test("an authority's key signs, too, beside the log's own", (t) => {
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const both = signNote(text, [signer, { name: "issuer", privateKey: authority.privateKey }]);
  const issuer = { name: "issuer", key: authority.publicKey };
  t.deepEqual(openNote(both, [issuer]).signedBy, ["issuer"]);
  t.deepEqual(openNote(both, [issuer, verifier]).signedBy, [name, "issuer"]);
  const { publicKey: another } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  t.throws(() => openNote(both, [{ name: "issuer", key: another }]), { code: "note_unsigned" });
  t.throws(() => openNote(both.replace("\n3\n", "\n4\n"), [issuer]), { code: "note_unsigned" });
  t.throws(() => verifierText(issuer), { code: "note_key_invalid" });
});

test("signNote needs a key of a kind that is known", (t) => {
  const wrong = generateKeyPairSync("ec", { namedCurve: "P-384" });
  t.throws(() => signNote(text, [{ name, privateKey: wrong.privateKey }]), {
    code: "note_key_invalid",
  });
  t.is(createPublicKey(privateKey).asymmetricKeyType, "ed25519");
});

test("a checkpoint goes to text and back", (t) => {
  const checkpoint = { origin: name, size: 7, root: hashLeaf(Buffer.from("x")) };
  t.deepEqual(readCheckpoint(checkpointText(checkpoint)), checkpoint);
  t.is(readCheckpoint(`${checkpointText(checkpoint)}an extension\n`).size, 7);
});

const root = Buffer.alloc(32).toString("base64");
for (const broken of [
  "",
  `\n7\n${root}\n`,
  `o\n07\n${root}\n`,
  `o\n-1\n${root}\n`,
  `o\n1e3\n${root}\n`,
  `o\n9999999999999999\n${root}\n`,
  `o\n7\n${root.slice(4)}\n`,
  `o\n7\n${root.replace("=", "")}\n`,
]) {
  test(`readCheckpoint refuses ${JSON.stringify(broken)}`, (t) => {
    t.throws(() => readCheckpoint(broken), { code: "note_malformed" });
  });
}
