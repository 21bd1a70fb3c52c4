// The certificates of authorities: root, intermediate, issuer. Rare and slow, so they are made by a
// library, and this is the only file that knows it; authority-encoding.ts makes those that the library
// cannot. Leaves are made by signer.ts.
import "reflect-metadata";
import { createPublicKey, generateKeyPair, webcrypto, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { promisify } from "node:util";
import * as x509 from "@peculiar/x509";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { contextTag } from "#/lib/der.ts";
import { encodeElement, encodeSequence } from "#/lib/der-encode.ts";
import { encodeAuthority } from "./authority-encoding.ts";

/** Whoever can sign certificates: its own certificate and its key. */
export interface Authority {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly privateKey: KeyObject;
}

export interface AuthorityRequest {
  /** Common name; tells authorities apart in chains and messages. */
  readonly name: string;
  readonly trustDomain: TrustDomain;
  /** Milliseconds since the Unix epoch; cut to whole seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Of its own key; default P-256. */
  readonly keys?: AuthorityKeys;
}

/** ML-DSA-65 stands against quantum computers, and is read by Node and OpenSSL from 3.5 on alone. */
export type AuthorityKeys = "p-256" | "ml-dsa-65";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const serialBytes = 16;
/** RFC 5280 appendix A.1: ub-organization-name and ub-common-name. A trust domain may be longer. */
const nameCharactersMax = 64;
/** An intermediate and an issuer. */
const rootPathLength = 2;
/** An issuer. */
const intermediatePathLength = 1;
const nameConstraintsOid = "2.5.29.30";
const generateKeys = promisify(generateKeyPair);

/** A self-signed root; its path is long enough for an intermediate and an issuer. */
export async function createRoot(request: AuthorityRequest): Promise<Authority> {
  return create(request, null, rootPathLength, []);
}

/** Stands between an offline root and the issuers: path length 1, and the issuers' constraint. */
export async function createIntermediate(
  root: Authority,
  request: AuthorityRequest,
): Promise<Authority> {
  return create(request, root, intermediatePathLength, [uriConstraint(request.trustDomain)]);
}

/** The same for a key that somebody else holds (DER of SubjectPublicKeyInfo): its certificate, DER. */
export async function certifyIntermediate(
  root: Authority,
  publicKey: Uint8Array,
  request: AuthorityRequest,
): Promise<Uint8Array> {
  const { notBefore, notAfter } = request;
  return sign({
    subject: subjectOf(request),
    publicKey: createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" }),
    signerKey: root.privateKey,
    parent: root.certificate,
    notBefore,
    notAfter,
    pathLength: intermediatePathLength,
    constraints: [uriConstraint(request.trustDomain)],
  });
}

/**
 * Signs leaves and nothing else: path length 0, and a critical constraint to URIs of the trust
 * domain, so that whoever steals its key can name nobody outside (RFC 5280 section 4.2.1.10).
 */
export async function createIssuer(
  signer: Authority,
  request: AuthorityRequest,
): Promise<Authority> {
  return create(request, signer, 0, [uriConstraint(request.trustDomain)]);
}

/**
 * The next root's name and key, certified by the present one (RFC 4210, "new with old"), DER: whoever
 * trusts the present root may believe in the next. It lives as long as both do.
 */
export async function createLink(present: Authority, next: Uint8Array): Promise<Uint8Array> {
  const [above, below] = [present.certificate, next].map(
    (der) => new x509.X509Certificate(copy(der)),
  );
  return sign({
    subject: below!.subjectName,
    publicKey: new X509Certificate(next).publicKey,
    signerKey: present.privateKey,
    parent: present.certificate,
    notBefore: Math.max(above!.notBefore.getTime(), below!.notBefore.getTime()),
    notAfter: Math.min(above!.notAfter.getTime(), below!.notAfter.getTime()),
    pathLength: rootPathLength,
    constraints: [],
  });
}

async function create(
  request: AuthorityRequest,
  signer: Authority | null,
  pathLength: number,
  constraints: readonly x509.Extension[],
): Promise<Authority> {
  const { privateKey } =
    request.keys === "ml-dsa-65"
      ? await generateKeys("ml-dsa-65")
      : await generateKeys("ec", { namedCurve: "P-256" });
  const { notBefore, notAfter } = request;
  const certificate = await sign({
    subject: subjectOf(request),
    publicKey: createPublicKey(privateKey),
    signerKey: signer?.privateKey ?? privateKey,
    parent: signer?.certificate ?? null,
    notBefore,
    notAfter,
    pathLength,
    constraints,
  });
  return { certificate, privateKey };
}

function subjectOf({ trustDomain, name }: AuthorityRequest): x509.Name {
  return new x509.Name([{ O: [bounded(trustDomain)] }, { CN: [bounded(name)] }]);
}

interface AuthorityTemplate extends Pick<AuthorityRequest, "notBefore" | "notAfter"> {
  readonly subject: x509.Name;
  readonly publicKey: KeyObject;
  readonly signerKey: KeyObject;
  /** DER; null: signed by itself. */
  readonly parent: Uint8Array | null;
  readonly pathLength: number;
  readonly constraints: readonly x509.Extension[];
}

/** DER. */
async function sign(template: AuthorityTemplate): Promise<Uint8Array> {
  const { signerKey, pathLength, constraints } = template;
  if (isPostQuantum(template.publicKey) || isPostQuantum(signerKey)) return encoded(template);
  const subject = template.subject.toString();
  const publicKey = await importPublic(template.publicKey);
  const parent = template.parent === null ? null : new x509.X509Certificate(copy(template.parent));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: parent?.subject ?? subject,
    notBefore: wholeSecond(template.notBefore),
    notAfter: wholeSecond(template.notAfter),
    publicKey,
    signingKey: await importPrivate(signerKey),
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, pathLength, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ...(parent === null ? [] : [await x509.AuthorityKeyIdentifierExtension.create(parent)]),
      ...constraints,
    ],
  });
  return new Uint8Array(certificate.rawData);
}

function isPostQuantum({ asymmetricKeyType }: KeyObject): boolean {
  return asymmetricKeyType === "ml-dsa-65";
}

/** By our own hand, what the library can neither read nor sign. */
function encoded({
  subject,
  publicKey,
  signerKey,
  parent,
  ...rest
}: AuthorityTemplate): Uint8Array {
  const [constraint] = rest.constraints;
  return encodeAuthority({
    subject: new Uint8Array(subject.toArrayBuffer()),
    publicKey,
    signerKey,
    parent,
    serial: Buffer.from(newSerial(), "hex"),
    notBefore: wholeSecond(rest.notBefore).getTime(),
    notAfter: wholeSecond(rest.notAfter).getTime(),
    pathLength: rest.pathLength,
    nameConstraints: constraint === undefined ? null : new Uint8Array(constraint.value),
  });
}

/** For people, who see where it was cut; authorities are told apart by their key identifiers. */
function bounded(text: string): string {
  return text.length <= nameCharactersMax ? text : `${text.slice(0, nameCharactersMax - 3)}...`;
}

/** True when `privateKey` is the key of `certificate`; false also for what is no certificate. */
export function isKeyOf({ certificate, privateKey }: Authority): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(privateKey);
  } catch {
    return false;
  }
}

function uriConstraint(trustDomain: TrustDomain): x509.Extension {
  const host = encodeElement(contextTag(6, "primitive"), new TextEncoder().encode(trustDomain));
  const permitted = encodeElement(contextTag(0, "constructed"), encodeSequence(host));
  return new x509.Extension(nameConstraintsOid, true, copy(encodeSequence(permitted)));
}

function importPublic(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = copy(key.export({ type: "spki", format: "der" }));
  return webcrypto.subtle.importKey("spki", der, algorithm, true, ["verify"]);
}

function importPrivate(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = copy(key.export({ type: "pkcs8", format: "der" }));
  return webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}

/** Positive, and always of the same length. */
function newSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(serialBytes));
  bytes[0] = 0x40 | (bytes[0]! & 0x3f);
  return Buffer.from(bytes).toString("hex");
}

function wholeSecond(timeMs: number): Date {
  return new Date(Math.floor(timeMs / 1000) * 1000);
}

function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes);
}
