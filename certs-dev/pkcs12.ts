// PKCS#12 (RFC 7292) for browsers and key chains: the only file that knows node-forge, which has no
// elliptic curves. So it is used for the container alone: key and certificates go in as the DER they
// are, and forge never parses nor verifies one.
import type { KeyObject } from "node:crypto";
import { randomBytes } from "node:crypto";
import forge from "node-forge";

export interface Pkcs12Content {
  readonly privateKey: KeyObject;
  /** DER; the key's own first. */
  readonly certificates: readonly Uint8Array[];
  /** Shown in key chains. */
  readonly name: string;
  readonly password: string;
}

const iterations = 100_000;
/** The MAC's key derivation is a plain loop in this library; more would take seconds. */
const macIterations = 2_048;
const saltBytes = 16;
const digestBytes = 32;

const { asn1 } = forge;
const universal = asn1.Class.UNIVERSAL;
type Node = forge.asn1.Asn1;

const sequence = (...parts: Node[]): Node =>
  asn1.create(universal, asn1.Type.SEQUENCE, true, parts);
const set = (...parts: Node[]): Node => asn1.create(universal, asn1.Type.SET, true, parts);
const octets = (bytes: string): Node => asn1.create(universal, asn1.Type.OCTETSTRING, false, bytes);
const explicit = (part: Node): Node =>
  asn1.create(asn1.Class.CONTEXT_SPECIFIC, asn1.Type.NONE, true, [part]);
const identifier = (dotted: string): Node =>
  asn1.create(universal, asn1.Type.OID, false, asn1.oidToDer(dotted).getBytes());
const integer = (value: number): Node =>
  asn1.create(universal, asn1.Type.INTEGER, false, asn1.integerToDer(value).getBytes());
const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** The file's bytes. The key is encrypted (AES-256, PBKDF2 with SHA-256); certificates are not. */
export function exportPkcs12(content: Pkcs12Content): Uint8Array {
  const { password } = content;
  const safe = sequence(
    data(sequence(keyBag(content))),
    data(
      sequence(...content.certificates.map((der, index) => certificateBag(der, index, content))),
    ),
  );
  const authenticated = asn1.toDer(safe).getBytes();
  const file = sequence(integer(3), data(safe), mac(authenticated, password));
  return Uint8Array.from(Buffer.from(asn1.toDer(file).getBytes(), "latin1"));
}

function data(content: Node): Node {
  const bytes = octets(asn1.toDer(content).getBytes());
  return sequence(identifier("1.2.840.113549.1.7.1"), explicit(bytes));
}

function keyBag(content: Pkcs12Content): Node {
  // PBES2 takes the password as UTF-8, the MAC as UTF-16: forge does only the second by itself.
  const utf8 = binary(Buffer.from(content.password, "utf8"));
  const pkcs8 = content.privateKey.export({ type: "pkcs8", format: "der" });
  const encrypted = forge.pki.encryptPrivateKeyInfo(asn1.fromDer(binary(pkcs8)), utf8, {
    algorithm: "aes256",
    count: iterations,
    saltSize: saltBytes,
    prfAlgorithm: "sha256",
  } as object);
  const shrouded = "1.2.840.113549.1.12.10.1.2";
  return sequence(identifier(shrouded), explicit(encrypted), attributes(content));
}

function certificateBag(der: Uint8Array, index: number, content: Pkcs12Content): Node {
  const x509 = identifier("1.2.840.113549.1.9.22.1");
  const certificate = sequence(x509, explicit(octets(binary(der))));
  const bag = [identifier("1.2.840.113549.1.12.10.1.3"), explicit(certificate)];
  return index === 0 ? sequence(...bag, attributes(content)) : sequence(...bag);
}

/** Name and local key id: the second is how readers see which certificate the key belongs to. */
function attributes({ name }: Pkcs12Content): Node {
  // Forge itself writes two bytes for each character of this type.
  const friendly = asn1.create(universal, asn1.Type.BMPSTRING, false, name);
  return set(
    sequence(identifier("1.2.840.113549.1.9.20"), set(friendly)),
    sequence(identifier("1.2.840.113549.1.9.21"), set(octets(String.fromCharCode(1)))),
  );
}

function mac(authenticated: string, password: string): Node {
  const salt = binary(randomBytes(saltBytes));
  const digest = forge.md.sha256.create();
  const purposeMac = 3;
  const key = forge.pkcs12.generateKey(
    password,
    forge.util.createBuffer(salt),
    purposeMac,
    macIterations,
    digestBytes,
    digest,
  );
  const hmac = forge.hmac.create();
  hmac.start(forge.md.sha256.create(), key);
  hmac.update(authenticated);
  const algorithm = sequence(
    identifier("2.16.840.1.101.3.4.2.1"),
    asn1.create(universal, asn1.Type.NULL, false, ""),
  );
  const digestInfo = sequence(algorithm, octets(hmac.getMac().getBytes()));
  return sequence(digestInfo, octets(salt), integer(macIterations));
}
