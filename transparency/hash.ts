// The two hashes of a Merkle tree (RFC 6962 section 2.1): a leaf and a node can never be taken for one
// another, because each has a prefix of its own.
import { hash } from "node:crypto";

/** SHA-256, 32 bytes. */
export type Digest = Uint8Array;

export const digestBytes = 32;

const leafPrefix = Uint8Array.of(0x00);
const nodePrefix = Uint8Array.of(0x01);

/** Of a tree without leaves: the hash of nothing. */
export const emptyRoot: Digest = hash("sha256", new Uint8Array(0), "buffer");

// At once, of bytes put together: an object for a hash that grows costs twice what the hash does.
export function hashLeaf(entry: Uint8Array): Digest {
  return hash("sha256", Buffer.concat([leafPrefix, entry]), "buffer");
}

export function hashNode(left: Digest, right: Digest): Digest {
  return hash("sha256", Buffer.concat([nodePrefix, left, right]), "buffer");
}

/** Roots and proofs are public: nothing is told by how long this takes. */
export function isSameDigest(one: Digest, other: Digest): boolean {
  return one.length === digestBytes && Buffer.compare(one, other) === 0;
}
