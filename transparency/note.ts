// Signed notes (C2SP signed-note): text that people can read, with signatures below it that programs can.
// Ed25519, which every tool knows, and ECDSA with P-256, as the mesh's authorities have it. Pure; keys are
// arguments.
import { createPublicKey, hash, sign, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { MeshError } from "#/lib/errors.ts";

export type NoteErrorCode = "note_malformed" | "note_key_invalid" | "note_unsigned";

export class NoteError extends MeshError<NoteErrorCode> {}

/** Whose signatures are believed. */
export interface NoteVerifier {
  /** Neither blanks nor "+". */
  readonly name: string;
  readonly key: KeyObject;
}

export interface NoteSigner {
  readonly name: string;
  readonly privateKey: KeyObject;
}

/** A note has some hundred bytes; a hostile one may have more. */
const noteBytesMax = 65_536;
const signaturesMax = 100;
const keyBytes = 32;
const keyIdBytes = 4;
/** Ed25519 in the registry of signature types. */
const ed25519Type = 0x01;
const separator = "\n\n";
const dash = "\u2014 ";

/** `text` ends with a newline, and has no other control characters. Throws NoteError. */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  checkText(text);
  const lines = signers.map((signer) => {
    const { name, privateKey } = signer;
    const id = signerId(signer);
    const signature = sign(digestOf(privateKey), Buffer.from(text), privateKey);
    return `${dash}${name} ${Buffer.concat([id, signature]).toString("base64")}\n`;
  });
  return `${text}\n${lines.join("")}`;
}

/** By private key: a log signs a head with each batch, always with the same two. */
const signerIds = new WeakMap<KeyObject, { readonly name: string; readonly id: Buffer }>();

function signerId({ name, privateKey }: NoteSigner): Buffer {
  const known = signerIds.get(privateKey);
  if (known?.name === name) return known.id;
  const id = keyId(name, createPublicKey(privateKey));
  signerIds.set(privateKey, { name, id });
  return id;
}

export interface OpenedNote {
  readonly text: string;
  /** Names of the verifiers that signed it; never empty. */
  readonly signedBy: readonly string[];
}

/**
 * The text, once one of the verifiers at least has signed it. A signature that says it is a verifier's and
 * is not makes the whole note worthless; those of others are left out of consideration. Throws NoteError.
 */
export function openNote(note: string, verifiers: readonly NoteVerifier[]): OpenedNote {
  if (Buffer.byteLength(note) > noteBytesMax) throw malformed(`more than ${noteBytesMax} bytes`);
  const at = note.lastIndexOf(separator);
  if (at < 0 || !note.endsWith("\n")) throw malformed("no signatures below the text");
  const text = note.slice(0, at + 1);
  checkText(text);
  const lines = note.slice(at + separator.length, -1).split("\n");
  if (lines.length > signaturesMax) throw malformed(`more than ${signaturesMax} signatures`);
  const signedBy = new Set<string>();
  for (const line of lines) {
    const { name, id, signature } = readLine(line);
    const verifier = verifiers.find(
      (each) => each.name === name && keyId(name, each.key).equals(id),
    );
    if (verifier === undefined) continue;
    if (!isSignatureOf(verifier.key, text, signature)) {
      throw new NoteError(
        "note_unsigned",
        `Cannot believe the note: "${name}" did not sign this text`,
      );
    }
    signedBy.add(name);
  }
  if (signedBy.size > 0) return { text, signedBy: [...signedBy] };
  const known = verifiers.map(({ name }) => name).join(", ");
  throw new NoteError("note_unsigned", `Cannot believe the note: none of ${known} signed it`);
}

/** "name+hex+base64", as tools exchange the public key of a signer; of Ed25519. Throws NoteError. */
export function verifierText({ name, key }: NoteVerifier): string {
  const bytes = Buffer.concat([Buffer.of(ed25519Type), rawKey(key)]);
  return `${name}+${keyId(name, key).toString("hex")}+${bytes.toString("base64")}`;
}

/** Throws NoteError. */
export function readVerifier(text: string): NoteVerifier {
  const [, name = "", id = "", encoded = ""] = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded, "base64");
  const isKey = bytes.length === 1 + keyBytes && bytes[0] === ed25519Type;
  if (!isKey || bytes.toString("base64") !== encoded)
    throw keyInvalid("it is no Ed25519 verifier key");
  const key = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: bytes.subarray(1).toString("base64url") },
    format: "jwk",
  });
  if (keyId(name, key).toString("hex") !== id)
    throw keyInvalid("name and key do not belong together");
  return { name, key };
}

/** Of ECDSA it is the key's hash alone, whatever its name. */
function keyId(name: string, key: KeyObject): Buffer {
  const told =
    digestOf(key) === null
      ? Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ed25519Type), rawKey(key)])
      : key.export({ type: "spki", format: "der" });
  return hash("sha256", told, "buffer").subarray(0, keyIdBytes);
}

/** What is signed of the text: its hash with ECDSA, the text itself (null) with Ed25519. */
function digestOf(key: KeyObject): "sha256" | null {
  if (key.asymmetricKeyType === "ed25519") return null;
  const { namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === "prime256v1") return "sha256";
  throw keyInvalid("it is neither of Ed25519 nor of ECDSA with P-256");
}

function rawKey(key: KeyObject): Buffer {
  if (key.asymmetricKeyType !== "ed25519") throw keyInvalid("it is no Ed25519 key");
  return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
}

function readLine(line: string): { name: string; id: Buffer; signature: Buffer } {
  const [, name = "", encoded = ""] = /^\u2014 ([^+\s]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line) ?? [];
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.length <= keyIdBytes || bytes.toString("base64") !== encoded) {
    throw malformed("a line below the text is no signature");
  }
  return { name, id: bytes.subarray(0, keyIdBytes), signature: bytes.subarray(keyIdBytes) };
}

function isSignatureOf(key: KeyObject, text: string, signature: Buffer): boolean {
  return verify(digestOf(key), Buffer.from(text), key, signature);
}

function checkText(text: string): void {
  // oxlint-disable-next-line no-control-regex -- the format forbids exactly these
  if (!text.endsWith("\n") || /[\u0000-\u0009\u000b-\u001f\ufffd]/.test(text)) {
    throw malformed("the text has control characters, or does not end with a newline");
  }
}

function malformed(state: string): NoteError {
  return new NoteError("note_malformed", `Cannot read the note: ${state}`);
}

function keyInvalid(state: string): NoteError {
  return new NoteError("note_key_invalid", `Cannot use the verifier's key: ${state}`);
}
