// A batch on its way to the ledger's thread and back: as few values as can be, in place of an object for each
// entry, since every object and every array of bytes that crosses is written, read and made anew. Pure.
import { assert } from "#/lib/assert.ts";
import type { LedgerEntry } from "./entry.ts";
import type { Outcome, Written } from "./writer.ts";

/** Entries, field after field. */
export interface PackedEntries {
  readonly fields: readonly (string | number)[];
  /** All certificates, one after another; among the fields stands how many bytes each has. */
  readonly certificates: Uint8Array;
}

/** Fields of one entry. */
const fieldCount = 16;

export function packEntries(entries: readonly LedgerEntry[]): PackedEntries {
  const fields: (string | number)[] = [];
  for (const entry of entries) {
    fields.push(
      entry.id,
      entry.namespace,
      entry.serviceAccount,
      entry.pod,
      entry.podUid,
      entry.node,
      entry.policy,
      entry.address,
      entry.tokenHash,
      entry.issuedAt,
      entry.notBefore,
      entry.notAfter,
      entry.serial,
      entry.issuerSerial,
      entry.keyFingerprint,
      entry.certificate.length,
    );
  }
  return { fields, certificates: joined(entries.map(({ certificate }) => certificate)) };
}

export function unpackEntries({ fields, certificates }: PackedEntries): readonly LedgerEntry[] {
  assert(fields.length % fieldCount === 0, "each entry has all of its fields");
  const entries: LedgerEntry[] = [];
  let start = 0;
  for (let at = 0; at < fields.length; at += fieldCount) {
    const end = start + Number(fields[at + 15]);
    entries.push({
      id: String(fields[at]),
      namespace: String(fields[at + 1]),
      serviceAccount: String(fields[at + 2]),
      pod: String(fields[at + 3]),
      podUid: String(fields[at + 4]),
      node: String(fields[at + 5]),
      policy: String(fields[at + 6]),
      address: String(fields[at + 7]),
      tokenHash: String(fields[at + 8]),
      issuedAt: Number(fields[at + 9]),
      notBefore: Number(fields[at + 10]),
      notAfter: Number(fields[at + 11]),
      serial: String(fields[at + 12]),
      issuerSerial: String(fields[at + 13]),
      keyFingerprint: String(fields[at + 14]),
      certificate: certificates.subarray(start, end),
    });
    start = end;
  }
  assert(start === certificates.length, "each certificate has all of its bytes");
  return entries;
}

export interface PackedWritten {
  /** Of each entry its position, or -1, and how many bytes its path has. */
  readonly places: readonly number[];
  /** All paths, one after another. */
  readonly paths: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
}

const keyReused = -1;

export function packWritten({ outcomes, tree }: Written): PackedWritten {
  const places: number[] = [];
  const paths: Uint8Array[] = [];
  for (const outcome of outcomes) {
    if (outcome === "key_reused") places.push(keyReused, 0);
    else {
      places.push(outcome.index, outcome.path.length);
      paths.push(outcome.path);
    }
  }
  return { places, paths: joined(paths), size: tree.size, root: Uint8Array.from(tree.root) };
}

export function unpackWritten({ places, paths, size, root }: PackedWritten): Written {
  const outcomes: Outcome[] = [];
  let start = 0;
  for (let at = 0; at < places.length; at += 2) {
    const index = places[at]!;
    const end = start + places[at + 1]!;
    outcomes.push(index === keyReused ? "key_reused" : { index, path: paths.subarray(start, end) });
    start = end;
  }
  return { outcomes, tree: { size, root } };
}

/** In memory of their own: what crosses takes all that it is a view of along. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
