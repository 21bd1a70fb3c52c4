// Chains that are not a path: out of order, with gaps, with too much, crossing, or without a root.
import * as kit from "../forge.ts";
import type { Authority, ChainCase } from "./chain-case.ts";
import {
  above,
  authority,
  authorityKeyId,
  constrained,
  id,
  intermediate,
  issuer,
  keyIdOf,
  leaf,
  leafKey,
  root,
  roots,
  subjectKeyId,
  withLeaf,
} from "./chain-case.ts";

const own = leaf({ name: "", key: leafKey });
const ownNamed = leaf({ name: "me", key: leafKey }, { subject: "me" });
const stranger = authority("stranger", null, kit.authorityExtensions("any"));
const namesake = authority("root", null, kit.authorityExtensions("any"));

// Two roots, each of which has signed the other's key, as while one takes the other's place.
const newer = authority("newer root", null, kit.authorityExtensions("any"));
const olderByNewer = authority("root", newer, kit.authorityExtensions(2), { key: root.key });
const intermediateByNewer = authority("intermediate", newer, kit.authorityExtensions(1), {
  key: intermediate.key,
});

const keyedKey = kit.newKey();
const keyed = authority(
  "issuer",
  intermediate,
  [...constrained, subjectKeyId(keyIdOf({ name: "", key: keyedKey }))],
  { key: keyedKey },
);
const otherKeyId = authorityKeyId(Uint8Array.of(0xaa));

// As our CA makes them: each says its own key and its issuer's.
const keyedRoot = identified("root", null, kit.authorityExtensions(2));
const otherKeyedRoot = identified("root", null, kit.authorityExtensions(2));
const keyedIntermediate = identified("intermediate", keyedRoot, kit.authorityExtensions(1));
const keyedIssuer = identified("issuer", keyedIntermediate, constrained);

function identified(
  name: string,
  above: Authority | null,
  extensions: readonly Uint8Array[],
): Authority {
  const key = kit.newKey();
  const ids = [
    subjectKeyId(keyIdOf({ name, key })),
    ...(above === null ? [] : [authorityKeyId(keyIdOf(above))]),
  ];
  return authority(name, above, [...extensions, ...ids], { key });
}

const search = "it searches a path in what was sent; we take what was sent for the path";
const searches = { openssl: search, goSpiffe: search, sidecar: search };

export const orders: readonly ChainCase[] = [
  {
    title: "a chain that brings its root",
    chain: [...withLeaf({}), root.der],
    verdict: "accepted",
  },
  { title: "no roots at all", chain: withLeaf({}), roots: [], verdict: "chain_not_rooted" },
  {
    title: "another root",
    chain: withLeaf({}),
    roots: [stranger.der],
    verdict: "chain_not_rooted",
  },
  {
    title: "another root of the same name",
    chain: withLeaf({}),
    roots: [namesake.der],
    verdict: "chain_signature_invalid",
  },
  {
    title: "two roots of one name, of which one has signed",
    chain: withLeaf({}),
    roots: [namesake.der, root.der],
    verdict: "accepted",
    differs: {
      openssl: "it tries the first of that name, and no other; ours say which by key identifier",
      sidecar: "as openssl",
    },
  },
  {
    title: "two roots of one name, told apart by the key that the intermediate names",
    chain: [leaf(keyedIssuer), keyedIssuer.der, keyedIntermediate.der],
    roots: [otherKeyedRoot.der, keyedRoot.der],
    verdict: "accepted",
  },
  { title: "a leaf that signed itself", chain: [own], verdict: "chain_not_rooted" },
  {
    title: "a leaf that signed itself, in front of a good chain",
    chain: [own, ...withLeaf({})],
    verdict: "chain_issuer_not_authority",
  },
  {
    title: "a leaf that signed itself and is in the bundle",
    chain: [ownNamed],
    roots: [ownNamed],
    verdict: "chain_issuer_not_authority",
    differs: {
      openssl: "a trusted certificate that signed itself is its own chain; ours are made by our CA",
      goSpiffe: "as openssl",
      sidecar: "as openssl: bundles hold authorities, which the controller makes",
    },
  },
  { title: "a leaf without its issuers", chain: [leaf(issuer)], verdict: "chain_not_rooted" },
  {
    title: "a chain with a gap",
    chain: [leaf(issuer), intermediate.der],
    verdict: "chain_issuer_mismatch",
  },
  {
    title: "issuers in the wrong order",
    chain: [leaf(issuer), intermediate.der, issuer.der],
    verdict: "chain_not_rooted",
    differs: searches,
  },
  {
    title: "a certificate too many in the middle",
    chain: [leaf(issuer), issuer.der, stranger.der, intermediate.der],
    verdict: "chain_issuer_mismatch",
    differs: searches,
  },
  {
    title: "a certificate too many at the end",
    chain: [...withLeaf({}), stranger.der],
    verdict: "chain_not_rooted",
    differs: searches,
  },
  {
    title: "the leaf twice",
    chain: [leaf(issuer), ...withLeaf({})],
    verdict: "chain_issuer_mismatch",
    differs: searches,
  },
  {
    title: "an issuer as the leaf",
    chain: above,
    key: issuer.key,
    verdict: "leaf_is_authority",
    differs: {},
  },
  {
    title: "a root as the leaf",
    chain: [root.der],
    key: root.key,
    verdict: "leaf_is_authority",
    differs: {},
  },
  {
    title: "an intermediate that both roots have signed, each root alone",
    chain: [leaf(issuer), issuer.der, intermediateByNewer.der],
    roots: [newer.der],
    verdict: "accepted",
  },
  {
    title: "an old root that the new one has signed, sent as an intermediate",
    chain: [...withLeaf({}), olderByNewer.der],
    roots: [newer.der],
    verdict: "accepted",
  },
  {
    title: "an old root that the new one has signed, sent to who trusts the old one",
    chain: [...withLeaf({}), olderByNewer.der],
    verdict: "chain_not_rooted",
    differs: searches,
  },
  {
    title: "an old root that the new one has signed, to who trusts both",
    chain: [...withLeaf({}), olderByNewer.der],
    roots: [newer.der, root.der],
    verdict: "accepted",
  },
  {
    title: "a bundle whose root was signed by another",
    chain: withLeaf({}),
    roots: [olderByNewer.der],
    verdict: "accepted",
    differs: {
      openssl: "it wants every path to end at what signed itself (no -partial_chain)",
      sidecar: "as openssl: a bundle of the controller's holds such roots alone",
    },
  },
  {
    title: "a leaf that names its issuer's key",
    chain: [
      leaf(keyed, { extensions: [...kit.leafExtensions(id), authorityKeyId(keyIdOf(keyed))] }),
      keyed.der,
      intermediate.der,
    ],
    verdict: "accepted",
  },
  {
    title: "a leaf that names another key of its issuer",
    chain: [
      leaf(keyed, { extensions: [...kit.leafExtensions(id), otherKeyId] }),
      keyed.der,
      intermediate.der,
    ],
    verdict: "chain_issuer_mismatch",
    differs: {
      goSpiffe: "to it, key identifiers only say which issuer to try first; signatures decide",
    },
  },
  {
    title: "attack-12 a leaf signed by another key in the issuer's name",
    chain: [leaf({ name: "issuer", key: kit.newKey() }), ...above],
    verdict: "chain_signature_invalid",
  },
  {
    title: "a root in a bundle of many",
    chain: withLeaf({}),
    roots: [stranger.der, ...roots],
    verdict: "accepted",
  },
];
