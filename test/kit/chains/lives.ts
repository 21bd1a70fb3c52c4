// Chains in and out of time.
import * as kit from "../forge.ts";
import type { ChainCase } from "./chain-case.ts";
import {
  above,
  authority,
  constrained,
  hourMs,
  issuer,
  leaf,
  now,
  root,
  under,
  withLeaf,
} from "./chain-case.ts";

const ended = { notBefore: now - 2 * hourMs, notAfter: now - 1000 };
const toCome = { notBefore: now + hourMs, notAfter: now + 2 * hourMs };
const oldIntermediate = authority("old", root, kit.authorityExtensions(1), ended);
const underOld = authority("issuer", oldIntermediate, constrained);
const oldRoot = authority("old root", null, kit.authorityExtensions(2), ended);

export const lives: readonly ChainCase[] = [
  {
    title: "leaf, issuer and intermediate under a root",
    chain: withLeaf({}),
    verdict: "accepted",
  },
  { title: "a leaf that has expired", chain: withLeaf(ended), verdict: "chain_expired" },
  {
    title: "a leaf that is not yet valid",
    chain: withLeaf(toCome),
    verdict: "chain_not_yet_valid",
  },
  {
    title: "a leaf in the second in which it ends",
    chain: [leaf(issuer), ...above],
    at: now + hourMs,
    verdict: "chain_expired",
    differs: { goSpiffe: "RFC 5280 counts notAfter in; we end a second early, as OpenSSL does" },
  },
  {
    title: "a leaf in the second in which it begins",
    chain: withLeaf({}),
    at: now - hourMs,
    verdict: "accepted",
  },
  {
    title: "a leaf that ends before it begins",
    chain: withLeaf({ notBefore: now + hourMs, notAfter: now - hourMs }),
    verdict: "certificate_malformed",
  },
  {
    title: "an issuer that has expired",
    chain: under(constrained, ended),
    verdict: "chain_expired",
  },
  {
    title: "an issuer that is not yet valid",
    chain: under(constrained, toCome),
    verdict: "chain_not_yet_valid",
  },
  {
    title: "an intermediate that has expired",
    chain: [leaf(underOld), underOld.der, oldIntermediate.der],
    verdict: "chain_expired",
  },
  {
    title: "a root that has expired",
    chain: [leaf(oldRoot)],
    roots: [oldRoot.der],
    verdict: "chain_expired",
  },
  {
    title: "a leaf that outlives its issuer, while both live",
    chain: withLeaf({ notAfter: now + 30 * hourMs }),
    verdict: "accepted",
  },
  {
    title: "a leaf without a definite end (RFC 5280 section 4.1.2.5)",
    chain: withLeaf({ notAfter: Date.UTC(9999, 11, 31, 23, 59, 59) }),
    verdict: "accepted",
  },
];
