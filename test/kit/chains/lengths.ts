// Chains that are too long, for a path length or for anybody.
import { oid } from "#/identity/object-identifiers.ts";
import { chainLengthMax } from "#/identity/verify.ts";
import { derTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import * as kit from "../forge.ts";
import type { Authority, ChainCase } from "./chain-case.ts";
import {
  authority,
  constrained,
  intermediate,
  issuer,
  leaf,
  leafExtensions,
  root,
  roots,
  under,
  withLeaf,
} from "./chain-case.ts";

const second = authority("second", issuer, constrained);
const narrow = authority("narrow", root, kit.authorityExtensions(0));
const belowNarrow = authority("issuer", narrow, constrained);
const flatRoot = authority("flat", null, kit.authorityExtensions(1));
const flatIntermediate = authority("intermediate", flatRoot, kit.authorityExtensions(1));
const flatIssuer = authority("issuer", flatIntermediate, constrained);
const selfIssued = authority("issuer", issuer, constrained);
const anyLength = authority("any", root, kit.authorityExtensions("any"));
const issuerOfAny = authority("issuer", anyLength, kit.authorityExtensions("any"));

const long = chainOf(chainLengthMax + 1);
const longest = chainOf(chainLengthMax);

/** A chain of this many certificates below a root of its own, every path length open. */
function chainOf(length: number): Pick<ChainCase, "chain" | "roots"> {
  const open = kit.authorityExtensions("any");
  const top = authority("top", null, open);
  const chain: Uint8Array[] = [];
  let signer: Authority = top;
  for (let depth = 1; depth < length; depth += 1) {
    signer = authority(`level ${depth}`, signer, open);
    chain.unshift(signer.der);
  }
  return { chain: [leaf(signer), ...chain], roots: [top.der] };
}

/** basicConstraints with a path length of these content bytes. */
function pathLength(isAuthority: boolean, ...content: readonly number[]): Uint8Array {
  const flag = isAuthority ? [encode.encodeBoolean(true)] : [];
  const length = encode.encodeElement(derTag.integer, Uint8Array.from(content));
  return kit.extension(oid.basicConstraints, true, encode.encodeSequence(...flag, length));
}

const bloated = kit.extension("1.2.3.4", false, encode.encodeOctetString(new Uint8Array(17_000)));
const meaningless = "a path length means nothing on a leaf";
const bytes = "a size is our limit; TLS has one of 100 KiB for the whole list";

export const lengths: readonly ChainCase[] = [
  {
    title: "an issuer below an issuer of path length 0",
    chain: [leaf(second), second.der, issuer.der, intermediate.der],
    verdict: "chain_path_too_long",
  },
  {
    title: "an issuer below an intermediate of path length 0",
    chain: [leaf(belowNarrow), belowNarrow.der, narrow.der],
    verdict: "chain_path_too_long",
  },
  {
    title: "two authorities below a root of path length 1",
    chain: [leaf(flatIssuer), flatIssuer.der, flatIntermediate.der],
    roots: [flatRoot.der],
    verdict: "chain_path_too_long",
  },
  {
    title: "authorities without a path length",
    chain: [leaf(issuerOfAny), issuerOfAny.der, anyLength.der],
    verdict: "accepted",
  },
  {
    title: "a self-issued issuer below an issuer of path length 0",
    chain: [leaf(selfIssued), selfIssued.der, issuer.der, intermediate.der],
    verdict: "chain_path_too_long",
    differs: {},
  },
  {
    title: "a path length on a leaf",
    chain: withLeaf({ extensions: leafExtensions(oid.basicConstraints, pathLength(false, 0)) }),
    verdict: "certificate_malformed",
    differs: { openssl: meaningless, goSpiffe: meaningless },
  },
  {
    title: "a negative path length",
    chain: under([pathLength(true, 0xff), kit.keyUsage(0x06)]),
    verdict: "certificate_malformed",
  },
  {
    title: "a path length beyond 31 bits",
    chain: under([pathLength(true, 1, 0, 0, 0, 0, 0, 0, 0, 0), kit.keyUsage(0x06)]),
    verdict: "certificate_malformed",
    differs: {
      openssl: "it takes a number that it cannot hold for no limit",
      sidecar: "as openssl: whoever made that issuer allowed any length",
    },
  },
  {
    title: "a path length that is padded",
    chain: under([pathLength(true, 0, 0), kit.keyUsage(0x06)]),
    verdict: "certificate_malformed",
  },
  { title: `a chain of ${chainLengthMax} certificates`, ...longest, verdict: "accepted" },
  {
    title: `a chain of ${chainLengthMax + 1} certificates`,
    ...long,
    verdict: "chain_length_invalid",
    differs: {
      openssl: "its limit is 100",
      goSpiffe: "it has no limit but on signatures checked",
      sidecar: "as openssl; each of them is verified",
    },
  },
  {
    title: "a leaf that is too large",
    chain: withLeaf({ extensions: [...kit.leafExtensions("spiffe://cluster.local/a"), bloated] }),
    verdict: "certificate_malformed",
    differs: { openssl: bytes, goSpiffe: bytes },
  },
  {
    title: "an issuer that is too large",
    chain: under([...constrained, bloated]),
    verdict: "certificate_malformed",
    differs: { openssl: bytes, goSpiffe: bytes, sidecar: bytes },
  },
  { title: "no certificate at all", chain: [], roots, verdict: "chain_length_invalid" },
];
