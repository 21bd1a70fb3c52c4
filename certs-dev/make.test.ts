import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { intermediateLifeMs, rootLifeMs } from "#/ca/mesh-authorities.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { ensureDevelopmentCertificates } from "./make.ts";
import { exportPkcs12 } from "./pkcs12.ts";

const trustDomain = parseTrustDomain("cluster.local");
const names = ["intermediate.crt", "intermediate.key", "root.crt", "root.key"];
const dayMs = 86_400_000;

class Folder implements Disposable {
  readonly base: string = mkdtempSync(path.join(tmpdir(), "signet-certs-"));
  readonly directory: string = path.join(this.base, "deep", "out");

  file(name: string): string {
    return path.join(this.directory, name);
  }

  contents(): readonly string[] {
    return names.map((name) => readFileSync(this.file(name), "utf8"));
  }

  [Symbol.dispose](): void {
    rmSync(this.base, { recursive: true });
  }
}

const modeOf = (file: string): number => statSync(file).mode & 0o777;

test("ensureDevelopmentCertificates makes four files that nobody else can read", async (t) => {
  using folder = new Folder();
  const { made } = await ensureDevelopmentCertificates(folder.directory, trustDomain);
  t.deepEqual(made, ["root", "intermediate"]);
  t.deepEqual(readdirSync(folder.directory).toSorted(), names);
  t.is(modeOf(folder.directory), 0o700);
  for (const name of names) t.is(modeOf(folder.file(name)), 0o600);
});

test("ensureDevelopmentCertificates makes ML-DSA-65 where that is asked for, and keeps to what is there", async (t) => {
  using folder = new Folder();
  const options = { keys: "ml-dsa-65" } as const;
  const first = await ensureDevelopmentCertificates(folder.directory, trustDomain, options);
  for (const { privateKey } of [first.root, first.intermediate]) {
    t.is(privateKey.asymmetricKeyType as string, "ml-dsa-65");
  }
  t.deepEqual((await ensureDevelopmentCertificates(folder.directory, trustDomain)).made, []);
  const error = await t.throwsAsync(
    ensureDevelopmentCertificates(folder.directory, trustDomain, { keys: "p-256" }),
  );
  t.regex(error?.message ?? "", /the root's key is of ml-dsa-65, not of p-256/);
});

test("ensureDevelopmentCertificates makes what OpenSSL verifies, with the lives it promises", async (t) => {
  using folder = new Folder();
  const clock = new ManualClock(Date.now());
  await ensureDevelopmentCertificates(folder.directory, trustDomain, { clock });
  const verified = execFileSync("openssl", [
    "verify",
    "-x509_strict",
    "-CAfile",
    folder.file("root.crt"),
    folder.file("intermediate.crt"),
  ]);
  t.regex(verified.toString(), /: OK/);
  const print = ["x509", "-noout", "-text", "-in", folder.file("intermediate.crt")];
  const text = execFileSync("openssl", print).toString();
  t.regex(text, /CA:TRUE, pathlen:1\n/);
  t.regex(text, /Name Constraints: critical\s+Permitted:\s+URI:cluster\.local/);
  const lifeLeft = (name: string): number =>
    new Date(new X509Certificate(readFileSync(folder.file(name))).validTo).getTime() - clock.now();
  t.true(Math.abs(lifeLeft("root.crt") - rootLifeMs) < 1_000);
  t.true(Math.abs(lifeLeft("intermediate.crt") - intermediateLifeMs) < 1_000);
});

test("ensureDevelopmentCertificates changes nothing the second time, but tightens modes", async (t) => {
  using folder = new Folder();
  await ensureDevelopmentCertificates(folder.directory, trustDomain);
  const before = folder.contents();
  for (const name of names) chmodSync(folder.file(name), 0o644);
  chmodSync(folder.directory, 0o755);
  const { made } = await ensureDevelopmentCertificates(folder.directory, trustDomain);
  t.deepEqual(made, []);
  t.deepEqual(folder.contents(), before);
  t.is(modeOf(folder.directory), 0o700);
  for (const name of names) t.is(modeOf(folder.file(name)), 0o600);
});

test("ensureDevelopmentCertificates with force makes all anew", async (t) => {
  using folder = new Folder();
  await ensureDevelopmentCertificates(folder.directory, trustDomain);
  const before = folder.contents();
  await ensureDevelopmentCertificates(folder.directory, trustDomain, { force: true });
  for (const [index, text] of folder.contents().entries()) t.not(text, before[index]);
});

test("ensureDevelopmentCertificates renews an intermediate near its end under the same root", async (t) => {
  using folder = new Folder();
  const clock = new ManualClock(Date.now());
  await ensureDevelopmentCertificates(folder.directory, trustDomain, { clock });
  const root = readFileSync(folder.file("root.crt"), "utf8");
  clock.jump(intermediateLifeMs - 29 * dayMs);
  const { made } = await ensureDevelopmentCertificates(folder.directory, trustDomain, { clock });
  t.deepEqual(made, ["intermediate"]);
  t.is(readFileSync(folder.file("root.crt"), "utf8"), root);
});

test("ensureDevelopmentCertificates completes a run that ended before the intermediate", async (t) => {
  using folder = new Folder();
  await ensureDevelopmentCertificates(folder.directory, trustDomain);
  rmSync(folder.file("intermediate.crt"));
  rmSync(folder.file("intermediate.key"));
  const { made } = await ensureDevelopmentCertificates(folder.directory, trustDomain);
  t.deepEqual(made, ["intermediate"]);
});

test("ensureDevelopmentCertificates replaces an intermediate of another root or trust domain", async (t) => {
  using folder = new Folder();
  using other = new Folder();
  await ensureDevelopmentCertificates(folder.directory, trustDomain);
  await ensureDevelopmentCertificates(other.directory, trustDomain);
  for (const name of ["intermediate.crt", "intermediate.key"]) {
    copyFileSync(other.file(name), folder.file(name));
  }
  const replaced = await ensureDevelopmentCertificates(folder.directory, trustDomain);
  t.deepEqual(replaced.made, ["intermediate"]);
  const elsewhere = parseTrustDomain("elsewhere.local");
  const moved = await ensureDevelopmentCertificates(folder.directory, elsewhere);
  t.deepEqual(moved.made, ["intermediate"]);
});

const damages: readonly (readonly [string, RegExp, (folder: Folder) => void])[] = [
  [
    "a root without its key",
    /only ".*root\.crt" is there/,
    (folder) => rmSync(folder.file("root.key")),
  ],
  [
    "a key without its root",
    /only ".*root\.key" is there/,
    (folder) => rmSync(folder.file("root.crt")),
  ],
  [
    "a root that is no certificate",
    /root: Cannot read authority/,
    (folder) => writeFileSync(folder.file("root.crt"), "nothing"),
  ],
  [
    "a root with the key of the intermediate",
    /the key is not the certificate's/,
    (folder) => copyFileSync(folder.file("intermediate.key"), folder.file("root.key")),
  ],
  [
    "a key that is none",
    /the key cannot be read/,
    (folder) => writeFileSync(folder.file("intermediate.key"), "nothing"),
  ],
];
for (const [title, message, damage] of damages) {
  test(`ensureDevelopmentCertificates refuses ${title}, and leaves it as it is`, async (t) => {
    using folder = new Folder();
    await ensureDevelopmentCertificates(folder.directory, trustDomain);
    damage(folder);
    const before = readdirSync(folder.directory);
    await t.throwsAsync(ensureDevelopmentCertificates(folder.directory, trustDomain), {
      name: "CertsDevError",
      code: "certificates_unusable",
      message,
    });
    t.deepEqual(readdirSync(folder.directory), before);
  });
}

test("ensureDevelopmentCertificates refuses a root that has expired, and a directory that is a file", async (t) => {
  using folder = new Folder();
  const clock = new ManualClock(Date.now());
  await ensureDevelopmentCertificates(folder.directory, trustDomain, { clock });
  clock.jump(rootLifeMs);
  await t.throwsAsync(ensureDevelopmentCertificates(folder.directory, trustDomain, { clock }), {
    message: /root has expired/,
  });
  await t.throwsAsync(ensureDevelopmentCertificates(folder.file("root.crt"), trustDomain), {
    code: "directory_unusable",
  });
});

test("exportPkcs12 writes what OpenSSL opens with the password and not without", async (t) => {
  using folder = new Folder();
  const made = await ensureDevelopmentCertificates(folder.directory, trustDomain);
  const { privateKey, certificate } = made.intermediate;
  const password = "a good päßword";
  const file = folder.file("dev.p12");
  const certificates = [certificate, made.root.certificate];
  writeFileSync(file, exportPkcs12({ privateKey, certificates, name: "dev", password }));
  const open = (secret: string): string =>
    execFileSync("openssl", ["pkcs12", "-in", file, "-nodes", "-passin", "stdin"], {
      input: `${secret}\n`,
      stdio: ["pipe", "pipe", "pipe"],
    }).toString();
  const text = open(password);
  t.true(createPrivateKey(text).equals(privateKey));
  t.is(text.match(/BEGIN CERTIFICATE/g)?.length, 2);
  t.regex(text, /friendlyName: dev\n/);
  t.true(new X509Certificate(text).raw.equals(certificate));
  t.throws(() => open("another password"), { message: /invalid password/ });
});

const main = path.join(import.meta.dirname, "main.ts");
const run = (...given: readonly string[]): string =>
  execFileSync(process.execPath, [main, ...given], { stdio: "pipe" }).toString();

test("main makes, exports and explains itself", (t) => {
  using folder = new Folder();
  t.regex(run("--help"), /^certs-dev: /);
  t.regex(run("--out", folder.directory), /made root and intermediate\nroot fingerprint/);
  t.regex(run("--out", folder.directory), /nothing to make/);
  const pem = run("export", "pem", "--out", folder.directory);
  t.is(pem, readFileSync(folder.file("root.crt"), "utf8"));
  const exported = run("export", "secret", "--out", folder.directory);
  const { data } = JSON.parse(exported) as { readonly data: Readonly<Record<string, string>> };
  t.is(Buffer.from(data["root.crt"] ?? "", "base64").toString(), pem);
  t.false("root.key" in data, "the root's key stays where it is");
  const secret = folder.file("password");
  const target = folder.file("dev.p12");
  writeFileSync(secret, "long enough\n");
  const shared = ["--out", folder.directory, "--name", "intermediate", "--file", target];
  run("export", "p12", ...shared, "--password-file", secret);
  t.is(modeOf(target), 0o600);
  writeFileSync(secret, "short\n");
  t.throws(() => run("export", "p12", ...shared, "--password-file", secret), {
    message: /fewer than 8/,
  });
});

for (const given of [
  ["--nope"],
  ["import"],
  ["export", "jks"],
  ["export", "p12"],
  ["export", "pem", "--name", "leaf"],
  ["export", "pem", "--force"],
  ["--trust-domain", "Not A Domain"],
]) {
  test(`main refuses "${given.join(" ")}" with exit code 2`, (t) => {
    using folder = new Folder();
    const error = t.throws(() => run("--out", folder.directory, ...given));
    t.is((error as unknown as { status: number }).status, 2);
  });
}
