// certs-dev: makes a root and an intermediate and exports them. The root's key lies on this disk: that is
// for development, or for a machine that is never connected.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import type { AuthorityKeys } from "#/ca/authority-certificate.ts";
import { writeAuthority } from "#/ca/authority-pem.ts";
import { keysOf, newRecord, signIntermediate, toSecret } from "#/ca/mesh-authorities.ts";
import { fingerprint, toPem } from "#/identity/bundle.ts";
import { readCsrPem } from "#/identity/csr-pem.ts";
import { IdentityError } from "#/identity/identity-error.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { MeshError, messageOf } from "#/lib/errors.ts";
import { ensureDevelopmentCertificates } from "./make.ts";
import type { DevelopmentCertificates } from "./make.ts";
import { exportPkcs12 } from "./pkcs12.ts";

class UsageError extends MeshError<"usage"> {}

const helpText = `certs-dev: a root and an intermediate, for development or for an offline root

  certs-dev [--out DIR] [--trust-domain NAME] [--keys KIND] [--force]
      Makes root.crt, root.key, intermediate.crt and intermediate.key in DIR unless
      they are there. The files are readable for you alone. --force makes all anew:
      nothing issued before is trusted any more.

  certs-dev export pem [--name root|intermediate]
      Prints the certificate (default: root), to put into a trust store.

  certs-dev export secret
      Prints the Secret "signet-ca" with root, intermediate and the intermediate's
      key, for kubectl apply. The root's key stays here: keep it offline. Run again
      each year; with less than 30 days left a new intermediate is made first.

  certs-dev sign FILE
      Prints the certificate of the request in FILE, made by signet ca request: an
      intermediate under this root, whose key stays where the mesh is. Compare the
      fingerprint that it says with the one that signet ca request said.

  certs-dev export p12 --name root|intermediate --password-file FILE --file FILE
      Writes key and certificates as PKCS#12 for browsers and key chains. The
      password is the first line of its file.

  --out DIR            default: certs-dev/out beside this program (git ignores it)
  --trust-domain NAME  default: cluster.local
  --keys KIND          of root and intermediate: p-256 (default), or ml-dsa-65, which
                       a quantum computer does not forge. For meshes without a
                       cluster: an API server cannot verify it (see SECURITY.md)
`;

const defaultDirectory = path.join(import.meta.dirname, "out");
const passwordCharactersMin = 8;

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (values.help === true) {
    process.stdout.write(helpText);
    return;
  }
  const directory = path.resolve(values.out ?? defaultDirectory);
  const trustDomain = parseTrustDomain(values["trust-domain"] ?? "cluster.local");
  const force = values.force === true;
  const [command, form, ...rest] = positionals;
  if (rest.length > 0) throw usage(`"${rest[0]}" is not known`);
  if (command !== undefined && command !== "export" && command !== "sign") {
    throw usage(`"${command}" is not known`);
  }
  if (command !== undefined && force) throw usage(`--force does not go with ${command}`);
  // Read before anything is made: nobody wants a new root for a file that is not there.
  const publicKey = command === "sign" ? readRequest(form) : null;
  const keys = readKeys(values.keys);
  const options = keys === null ? { force } : { force, keys };
  const certificates = await ensureDevelopmentCertificates(directory, trustDomain, options);
  const isForCluster = command === "sign" || form === "secret";
  if (isForCluster && keysOf(certificates.root) === "ml-dsa-65") {
    throw usage(
      "no API server could verify the mesh's webhooks under ML-DSA: make a root of p-256 for a cluster",
    );
  }
  if (command === undefined) return report(directory, certificates);
  if (publicKey !== null) {
    const signed = await signIntermediate(certificates.root, publicKey, trustDomain, Date.now());
    process.stdout.write(toPem(signed));
    return;
  }
  if (form === "secret") {
    const secret = toSecret(newRecord({ ...certificates, withRootKey: false }));
    process.stdout.write(`${JSON.stringify(secret, null, 2)}\n`);
    return;
  }
  const name = readName(values.name);
  if (form === "pem") {
    process.stdout.write(writeAuthority(certificates[name]).certificate);
  } else if (form === "p12") {
    writePkcs12(certificates, name, values["password-file"], values.file);
  } else throw usage(`"export" wants pem, secret or p12`);
}

/** DER of the key that is to be certified. */
function readRequest(file: string | undefined): Uint8Array {
  if (file === undefined) throw usage("sign wants the file of a request");
  const publicKey = readCsrPem(readFileSync(file, "utf8"));
  const digest = createHash("sha256").update(publicKey).digest("hex");
  process.stderr.write(`key fingerprint (SHA-256): ${digest}\n`);
  return publicKey;
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        out: { type: "string" },
        force: { type: "boolean" },
        "trust-domain": { type: "string" },
        keys: { type: "string" },
        name: { type: "string" },
        "password-file": { type: "string" },
        file: { type: "string" },
      },
    });
  } catch (thrown) {
    throw usage(messageOf(thrown));
  }
}

function report(directory: string, certificates: DevelopmentCertificates): void {
  const { made, root } = certificates;
  const what = made.length === 0 ? "nothing to make" : `made ${made.join(" and ")}`;
  process.stdout.write(`${directory}: ${what}\n`);
  process.stdout.write(`root fingerprint (SHA-256): ${fingerprint(root.certificate)}\n`);
}

function readKeys(keys: string | undefined): AuthorityKeys | null {
  if (keys === undefined) return null;
  if (keys === "p-256" || keys === "ml-dsa-65") return keys;
  throw usage(`--keys is p-256 or ml-dsa-65, not "${keys}"`);
}

function readName(name: string | undefined): "root" | "intermediate" {
  if (name === undefined || name === "root") return "root";
  if (name === "intermediate") return name;
  throw usage(`--name is root or intermediate, not "${name}"`);
}

function writePkcs12(
  certificates: DevelopmentCertificates,
  name: "root" | "intermediate",
  passwordFile: string | undefined,
  file: string | undefined,
): void {
  if (passwordFile === undefined || file === undefined) {
    throw usage("export p12 wants --password-file and --file");
  }
  // Never an argument: other users see those.
  const [password = ""] = readFileSync(passwordFile, "utf8").split(/\r?\n/);
  if (password.length < passwordCharactersMin) {
    throw usage(`the password has fewer than ${passwordCharactersMin} characters`);
  }
  const { root, intermediate } = certificates;
  const own = certificates[name];
  const content = exportPkcs12({
    privateKey: own.privateKey,
    certificates:
      name === "root" ? [root.certificate] : [intermediate.certificate, root.certificate],
    name: `signet development ${name}`,
    password,
  });
  writeFileSync(file, content, { mode: 0o600 });
  process.stdout.write(`${file}: written\n`);
}

function usage(state: string): UsageError {
  return new UsageError("usage", `Cannot do that: ${state}`, { next: "See certs-dev --help" });
}

try {
  await main();
} catch (thrown) {
  const next = thrown instanceof MeshError && thrown.next !== "" ? `\n${thrown.next}` : "";
  process.stderr.write(`certs-dev: ${messageOf(thrown)}${next}\n`);
  process.exitCode = thrown instanceof UsageError || thrown instanceof IdentityError ? 2 : 1;
}
