import { execFileSync } from "node:child_process";
import "reflect-metadata";
import { generateKeyPairSync, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import * as x509 from "@peculiar/x509";
import { readCertificate } from "#/identity/certificate.ts";
import { parsePem, toPem } from "#/identity/bundle.ts";
import { workloadId } from "#/identity/spiffe-id.ts";
import { verifyChain } from "#/identity/verify.ts";
import { createFixture, startMs, trustDomain } from "#/test/kit/certificate-authority.ts";
import { checkIssued } from "./issued-check.ts";
import { serialBytes, signLeaf } from "./signer.ts";
import type { LeafTemplate } from "./template.ts";

const atStart = ["-attime", String(startMs / 1000)];

function template(change: Partial<LeafTemplate> = {}): LeafTemplate {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    id: workloadId(trustDomain, "app-a", "app-a"),
    dnsNames: [],
    publicKey: publicKey.export({ type: "spki", format: "der" }),
    notBefore: startMs,
    notAfter: startMs + 900_000,
    ...change,
  };
}

test("signLeaf makes what OpenSSL verifies strictly, name constraints and all", async (t) => {
  await using fixture = await createFixture();
  const issuer = fixture.issuer.current();
  const leaf = signLeaf(template(), issuer, randomBytes(serialBytes));
  const folder = mkdtempSync(path.join(tmpdir(), "signet-signer-"));
  const write = (name: string, ders: readonly Uint8Array[]): string => {
    const file = path.join(folder, name);
    writeFileSync(file, ders.map(toPem).join(""));
    return file;
  };
  const files = [write("root", [fixture.root.certificate]), write("chain", issuer.chain)];
  const own = write("leaf", [leaf]);
  const verify = (purpose: string): string =>
    execFileSync("openssl", [
      "verify",
      "-x509_strict",
      ...atStart,
      "-purpose",
      purpose,
      "-CAfile",
      files[0]!,
      "-untrusted",
      files[1]!,
      own,
    ]).toString();
  t.regex(verify("sslclient"), /: OK/);
  t.regex(verify("sslserver"), /: OK/);
  const text = execFileSync("openssl", ["x509", "-in", own, "-noout", "-text"]).toString();
  t.regex(text, /Basic Constraints: critical\s+CA:FALSE/);
  t.regex(text, /Key Usage: critical\s+Digital Signature\n/);
  t.regex(text, /Extended Key Usage: *\n\s+TLS Web Server Authentication, TLS Web Client/);
  t.regex(
    text,
    /Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/app-a\/sa\/app-a\n/,
  );
  rmSync(folder, { recursive: true });
});

test("attack-16 a serving certificate of the authority is nobody's identity", async (t) => {
  await using fixture = await createFixture();
  const issuer = fixture.issuer.current();
  const serving = template({ dnsNames: ["signet-injector.signet-system.svc"] });
  const chain = [signLeaf(serving, issuer, randomBytes(serialBytes)), ...issuer.chain];
  for (const purpose of ["client", "server"] as const) {
    const options = { trustDomain, purpose };
    t.throws(() => verifyChain(chain, [fixture.root.certificate], startMs, options), {
      code: "leaf_extended_key_usage_invalid",
    });
  }
});

test("signLeaf means, to @peculiar/x509, what that library would have written itself", async (t) => {
  await using fixture = await createFixture();
  const issuer = fixture.issuer.current();
  const own = new x509.X509Certificate(Buffer.from(issuer.chain[0]!));
  const signingKey = await webcrypto.subtle.importKey(
    "pkcs8",
    issuer.privateKey.export({ type: "pkcs8", format: "der" }),
    { name: "ECDSA", namedCurve: "P-256" },
    false,
    ["sign"],
  );
  for (const notAfter of [startMs + 900_000, Date.UTC(2051, 5, 1, 12, 30, 15)]) {
    const asked = template({ notAfter });
    const leaf = new x509.X509Certificate(
      Buffer.from(signLeaf(asked, issuer, randomBytes(serialBytes))),
    );
    const theirs = await x509.X509CertificateGenerator.create({
      serialNumber: leaf.serialNumber,
      issuer: own.subjectName,
      notBefore: new Date(asked.notBefore),
      notAfter: new Date(asked.notAfter),
      publicKey: Buffer.from(asked.publicKey),
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.AuthorityKeyIdentifierExtension(Buffer.from(issuer.keyId).toString("hex")),
        new x509.SubjectAlternativeNameExtension([{ type: "url", value: asked.id }], true),
      ],
    });
    for (const certificate of [leaf, theirs]) {
      t.true(await certificate.verify({ publicKey: own.publicKey, signatureOnly: true }));
    }
    t.is(leaf.issuer, theirs.issuer);
    t.is(leaf.subject, theirs.subject);
    t.deepEqual([leaf.notBefore, leaf.notAfter], [theirs.notBefore, theirs.notAfter]);
    t.deepEqual(leaf.publicKey.rawData, theirs.publicKey.rawData);
    t.deepEqual(
      leaf.extensions.map(({ rawData }) => Buffer.from(rawData).toString("hex")),
      theirs.extensions.map(({ rawData }) => Buffer.from(rawData).toString("hex")),
    );
  }
});

test("signLeaf keeps apart what issuers have in common with their own leaves alone", async (t) => {
  await using fixture = await createFixture();
  await using other = await createFixture();
  for (const issuer of [fixture.issuer.current(), other.issuer.current()]) {
    for (const dnsNames of [[], ["injector.signet-system.svc"], []]) {
      const asked = template({ dnsNames });
      t.notThrows(() =>
        checkIssued(signLeaf(asked, issuer, randomBytes(serialBytes)), asked, issuer),
      );
    }
  }
});

test("attack-3 OpenSSL refuses a leaf outside of the issuer's name constraint", async (t) => {
  await using fixture = await createFixture();
  const issuer = fixture.issuer.current();
  const foreign = "spiffe://other.local/ns/app-a/sa/app-a" as LeafTemplate["id"];
  const leaf = signLeaf(template({ id: foreign }), issuer, randomBytes(serialBytes));
  const folder = mkdtempSync(path.join(tmpdir(), "signet-signer-"));
  const chain = [fixture.root.certificate, ...issuer.chain].map(toPem).join("");
  writeFileSync(path.join(folder, "chain"), chain);
  writeFileSync(path.join(folder, "leaf"), toPem(leaf));
  t.throws(
    () =>
      execFileSync("openssl", ["verify", ...atStart, "-CAfile", "chain", "leaf"], {
        cwd: folder,
        stdio: "pipe",
      }),
    { message: /permitted subtree violation/ },
  );
  rmSync(folder, { recursive: true });
});

test("signLeaf writes serials that are positive and of one length, whatever is random", async (t) => {
  await using fixture = await createFixture();
  const issuer = fixture.issuer.current();
  for (const fill of [0x00, 0x7f, 0x80, 0xff]) {
    const leaf = signLeaf(template(), issuer, new Uint8Array(serialBytes).fill(fill));
    const { serial } = readCertificate(leaf);
    t.is(serial.length, 2 * serialBytes);
    t.is(new X509Certificate(leaf).serialNumber.toLowerCase(), serial);
  }
});

test("signLeaf writes serials that ascend with the time, and have ten random bytes", async (t) => {
  await using fixture = await createFixture();
  const issuer = fixture.issuer.current();
  const serialOf = (notBefore: number, random: Uint8Array): string =>
    readCertificate(signLeaf(template({ notBefore }), issuer, random)).serial;
  const [low, high] = [0x00, 0xff].map((fill) => new Uint8Array(serialBytes).fill(fill));
  t.true(serialOf(startMs, high!) < serialOf(startMs + 1_000, low!));
  t.is(serialOf(startMs, low!).slice(12), "00".repeat(10));
  t.is(serialOf(startMs, high!).slice(12), "ff".repeat(10));
  const random = new Set(Array.from({ length: 64 }, () => serialOf(startMs, randomBytes(16))));
  t.is(random.size, 64);
});

test("signLeaf writes dates past 2049 as OpenSSL reads them", async (t) => {
  await using fixture = await createFixture();
  const notAfter = Date.UTC(2051, 5, 1, 12, 30, 15);
  const leaf = signLeaf(template({ notAfter }), fixture.issuer.current(), randomBytes(serialBytes));
  t.is(new Date(new X509Certificate(leaf).validTo).getTime(), notAfter);
});

test("parsePem gives back what toPem wrote", async (t) => {
  await using fixture = await createFixture();
  const { chain } = fixture.issuer.current();
  t.deepEqual(
    parsePem(chain.map(toPem).join("")).map((der) => Buffer.from(der)),
    chain.map((der) => Buffer.from(der)),
  );
});

test("checkIssued accepts what was asked for", async (t) => {
  await using fixture = await createFixture();
  const issuer = fixture.issuer.current();
  const asked = template();
  const leaf = signLeaf(asked, issuer, randomBytes(serialBytes));
  t.is(checkIssued(leaf, asked, issuer).id, asked.id);
});

const faults: readonly (readonly [
  string,
  RegExp,
  (asked: LeafTemplate) => Partial<LeafTemplate>,
])[] = [
  [
    "another identity",
    /names "spiffe:\/\/cluster.local\/ns\/b/,
    () => ({ id: workloadId(trustDomain, "b", "b") }),
  ],
  ["another key", /another key/, () => ({ publicKey: template().publicKey })],
  ["an earlier begin", /begins/, ({ notBefore }) => ({ notBefore: notBefore - 1_000 })],
  ["a later end", /ends/, ({ notAfter }) => ({ notAfter: notAfter + 1_000 })],
];
for (const [title, message, change] of faults) {
  test(`attack-12 checkIssued refuses ${title} than was asked for`, async (t) => {
    await using fixture = await createFixture();
    const issuer = fixture.issuer.current();
    const asked = template();
    const leaf = signLeaf({ ...asked, ...change(asked) }, issuer, randomBytes(serialBytes));
    t.throws(() => checkIssued(leaf, asked, issuer), { code: "issued_unsound", message });
  });
}

test("attack-12 checkIssued refuses a changed byte, wherever it is", async (t) => {
  await using fixture = await createFixture();
  const issuer = fixture.issuer.current();
  const asked = template();
  const leaf = signLeaf(asked, issuer, randomBytes(serialBytes));
  for (let at = 0; at < leaf.length; at += 1) {
    const changed = leaf.map((byte, index) => (index === at ? byte ^ 0x01 : byte));
    t.throws(() => checkIssued(changed, asked, issuer), { code: "issued_unsound" }, `byte ${at}`);
  }
});

test("checkIssued refuses a leaf that outlives its issuer, and one of another issuer", async (t) => {
  await using fixture = await createFixture();
  const issuer = fixture.issuer.current();
  const long = template({ notAfter: issuer.notAfter + 1_000 });
  const leaf = signLeaf(long, issuer, randomBytes(serialBytes));
  t.throws(() => checkIssued(leaf, long, issuer), { message: /outlives/ });
  await using other = await createFixture();
  const asked = template();
  const foreign = signLeaf(asked, other.issuer.current(), randomBytes(serialBytes));
  t.throws(() => checkIssued(foreign, asked, issuer), { message: /another issuer/ });
  const named = { ...other.issuer.current(), subject: issuer.subject };
  const forged = signLeaf(asked, named, randomBytes(serialBytes));
  t.throws(() => checkIssued(forged, asked, issuer), { message: /signature is not/ });
});
