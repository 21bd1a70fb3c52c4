// What a certificate may be used for: by whom it was signed, and as what it stands there.
import { oid } from "#/identity/object-identifiers.ts";
import * as encode from "#/lib/der-encode.ts";
import * as kit from "../forge.ts";
import type { ChainCase } from "./chain-case.ts";
import {
  authority,
  constrained,
  id,
  intermediate,
  issuer,
  leaf,
  leafExtensions,
  plain,
  under,
  withLeaf,
} from "./chain-case.ts";

const anyPurpose = "2.5.29.37.0";
const emailProtection = "1.3.6.1.5.5.7.3.4";

const narrower = {
  openssl: "it wants no more than clientAuth of a client, and no key usage at all",
  goSpiffe: "SPIFFE asks for no extended key usage, and Verify takes any",
};

/** A leaf with another extension of this type. */
function changed(type: string, instead: Uint8Array | null): readonly Uint8Array[] {
  return withLeaf({ extensions: leafExtensions(type, instead) });
}

const purposes = (...usages: readonly string[]): readonly Uint8Array[] =>
  changed(oid.extendedKeyUsage, kit.extendedKeyUsage(...usages));
const usage = (first: number, critical = true): readonly Uint8Array[] =>
  changed(oid.keyUsage, kit.keyUsage(first, critical));
const extended = { verdict: "leaf_extended_key_usage_invalid" } as const;
const basic = { verdict: "leaf_key_usage_invalid" } as const;
const notAuthority = { verdict: "chain_issuer_not_authority" } as const;

const workload = authority("workload", issuer, kit.leafExtensions(id));

const leaves: readonly ChainCase[] = [
  {
    title: "attack-16 no extended key usage",
    chain: changed(oid.extendedKeyUsage, null),
    ...extended,
    differs: narrower,
  },
  {
    title: "attack-16 a client only",
    chain: purposes(oid.clientAuth),
    ...extended,
    differs: narrower,
  },
  {
    title: "attack-16 a server only",
    chain: purposes(oid.serverAuth),
    ...extended,
    differs: { goSpiffe: narrower.goSpiffe },
  },
  {
    title: "attack-16 any purpose",
    chain: purposes(anyPurpose),
    ...extended,
    differs: { goSpiffe: narrower.goSpiffe },
  },
  {
    title: "attack-16 another purpose",
    chain: purposes(emailProtection),
    ...extended,
    differs: { goSpiffe: narrower.goSpiffe },
  },
  {
    title: "an empty list of purposes",
    chain: purposes(),
    verdict: "certificate_malformed",
    differs: { goSpiffe: narrower.goSpiffe },
  },
  {
    title: "a third purpose beside both",
    chain: purposes(oid.serverAuth, oid.clientAuth, emailProtection),
    verdict: "accepted",
  },
  {
    title: "attack-16 no key usage",
    chain: changed(oid.keyUsage, null),
    ...basic,
    differs: narrower,
  },
  {
    title: "attack-16 a key usage that is not critical",
    chain: usage(0x80, false),
    ...basic,
    differs: narrower,
  },
  {
    title: "attack-16 a key usage without digitalSignature",
    chain: usage(0x20),
    ...basic,
    differs: { goSpiffe: "Verify does not look for it" },
  },
  {
    title: "attack-16 a leaf that may sign certificates",
    chain: usage(0x84),
    ...basic,
    differs: { openssl: narrower.openssl },
  },
  {
    title: "attack-16 a leaf that may sign revocation lists",
    chain: usage(0x82),
    ...basic,
    differs: { openssl: narrower.openssl },
  },
  { title: "a leaf with keyAgreement besides", chain: usage(0x88), verdict: "accepted" },
  {
    title: "attack-16 an authority as the leaf",
    chain: changed(oid.basicConstraints, kit.basicConstraints("any")),
    verdict: "leaf_is_authority",
    differs: { openssl: narrower.openssl },
  },
  {
    title: "a leaf without basicConstraints",
    chain: changed(oid.basicConstraints, null),
    verdict: "leaf_is_authority",
    differs: narrower,
  },
];

const issuers: readonly ChainCase[] = [
  {
    title: "attack-16 a workload that signs as an authority",
    chain: [leaf(workload), workload.der, issuer.der, intermediate.der],
    ...notAuthority,
  },
  {
    title: "attack-16 an issuer without basicConstraints",
    chain: under([kit.keyUsage(0x06)]),
    ...notAuthority,
  },
  {
    title: "attack-16 an issuer that is said to be none",
    chain: under([kit.basicConstraints("leaf"), kit.keyUsage(0x06)]),
    ...notAuthority,
  },
  {
    title: "attack-16 an issuer whose basicConstraints is not critical",
    chain: under([kit.basicConstraints(0, false), kit.keyUsage(0x06)]),
    ...notAuthority,
    differs: {
      openssl: "it takes the constraint either way",
      goSpiffe: "as openssl",
      sidecar: "as openssl: critical or not, it is kept",
    },
  },
  {
    title: "attack-16 an issuer that may not sign certificates",
    chain: under([kit.basicConstraints(0), kit.keyUsage(0x82)]),
    ...notAuthority,
  },
  {
    title: "attack-16 an issuer without key usage",
    chain: under([kit.basicConstraints(0)]),
    ...notAuthority,
    differs: {
      openssl: "no key usage is every usage",
      goSpiffe: "as openssl",
      sidecar: "as openssl: the one above made it an authority by basicConstraints",
    },
  },
  {
    title: "attack-16 an issuer for servers alone, in a client's chain",
    chain: under([...plain, kit.extendedKeyUsage(oid.serverAuth)]),
    ...notAuthority,
    differs: { goSpiffe: "Verify takes any purpose" },
  },
  {
    title: "attack-16 an issuer for any purpose",
    chain: under([...plain, kit.extendedKeyUsage(anyPurpose)]),
    ...notAuthority,
    differs: { goSpiffe: "Verify takes any purpose" },
  },
  {
    title: "an issuer for clients and servers",
    chain: under([...plain, kit.extendedKeyUsage(oid.clientAuth, oid.serverAuth)]),
    verdict: "accepted",
  },
  { title: "an issuer without constraints", chain: under(plain), verdict: "accepted" },
  {
    title: "an issuer with an extension that nobody has to know",
    chain: under([...constrained, kit.extension("1.2.3.4", false, encode.encodeSequence())]),
    verdict: "accepted",
  },
];

export const purposesOf: readonly ChainCase[] = [...leaves, ...issuers];
