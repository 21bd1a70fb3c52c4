// Whose name it is: the one URI of a leaf, and the name constraints above it.
import { oid } from "#/identity/object-identifiers.ts";
import { contextTag, derTag } from "#/lib/der.ts";
import * as encode from "#/lib/der-encode.ts";
import * as kit from "../forge.ts";
import type { ChainCase } from "./chain-case.ts";
import {
  authority,
  constrained,
  id,
  leaf,
  leafExtensions,
  named,
  plain,
  root,
  under,
  uri,
  withLeaf,
} from "./chain-case.ts";

const notSpiffe = "SPIFFE is not its business";
const opensslOnly = { openssl: notSpiffe };
/** What SPIFFE allows beside a URI, and we do not. */
const beside = { openssl: notSpiffe, goSpiffe: "SPIFFE allows other names beside the URI" };

/** A leaf with this URI, under an issuer without constraints: the URI alone is judged. */
function spelled(
  title: string,
  text: string | Uint8Array,
  more: Partial<ChainCase> = {},
): ChainCase {
  const chain = under(plain, {}, named(uri(text)));
  return { title, chain, verdict: "leaf_names_invalid", differs: opensslOnly, ...more };
}

const withoutUri = leafExtensions(oid.subjectAlternativeName, null);
const notCritical = leafExtensions(
  oid.subjectAlternativeName,
  kit.alternativeNames([uri(id)], false),
);
const otherName = encode.encodeElement(
  contextTag(0, "constructed"),
  encode.encodeObjectIdentifier("1.3.6.1.4.1.311.20.2.3"),
  encode.encodeElement(contextTag(0, "constructed"), encode.encodeText(derTag.utf8String, id)),
);

const unreadable = { verdict: "certificate_malformed" } as const;

const uris: readonly ChainCase[] = [
  {
    title: "no names at all",
    chain: under(plain, {}, withoutUri),
    verdict: "leaf_names_invalid",
    differs: opensslOnly,
  },
  {
    title: "an empty list of names",
    chain: under(plain, {}, named()),
    ...unreadable,
    differs: opensslOnly,
  },
  {
    title: "attack-6 its URI twice",
    chain: withLeaf({ extensions: named(uri(id), uri(id)) }),
    verdict: "leaf_names_invalid",
    differs: opensslOnly,
  },
  {
    title: "attack-6 a second identity",
    chain: withLeaf({ extensions: named(uri(id), uri(`${id}b`)) }),
    verdict: "leaf_names_invalid",
    differs: opensslOnly,
  },
  {
    title: "attack-6 a DNS name alone",
    chain: withLeaf({ extensions: named(kit.generalName(2, "app-a.test")) }),
    verdict: "leaf_names_invalid",
    differs: opensslOnly,
  },
  {
    title: "attack-6 a DNS name beside the URI",
    chain: withLeaf({ extensions: named(uri(id), kit.generalName(2, "app-a.test")) }),
    verdict: "leaf_names_invalid",
    differs: beside,
  },
  {
    title: "attack-6 an address beside the URI",
    chain: withLeaf({ extensions: named(uri(id), kit.generalName(7, Uint8Array.of(10, 0, 0, 1))) }),
    verdict: "leaf_names_invalid",
    differs: beside,
  },
  {
    title: "attack-6 an otherName beside the URI",
    chain: withLeaf({ extensions: named(uri(id), otherName) }),
    verdict: "leaf_names_invalid",
    differs: beside,
  },
  {
    title: "names that are not critical, without a subject",
    chain: withLeaf({ extensions: notCritical }),
    verdict: "leaf_names_invalid",
    differs: { openssl: "RFC 5280 section 4.2.1.6 is not enforced", goSpiffe: "as openssl" },
  },
  {
    title: "names that are not critical, with a subject",
    chain: withLeaf({ extensions: notCritical, subject: "app-a" }),
    verdict: "accepted",
  },
  spelled("a port in the URI", "spiffe://cluster.local:8443/ns/app-a/sa/app-a"),
  spelled("an empty port in the URI", "spiffe://cluster.local:/ns/app-a/sa/app-a"),
  spelled("a query in the URI", `${id}?a=b`),
  spelled("an empty query in the URI", `${id}?`),
  spelled("a fragment in the URI", `${id}#a`),
  spelled("an empty fragment in the URI", `${id}#`, {
    differs: { openssl: notSpiffe, goSpiffe: "Go drops an empty fragment as it parses a URI" },
  }),
  spelled("a user in the URI", "spiffe://root@cluster.local/ns/app-a/sa/app-a"),
  spelled("an empty user in the URI", "spiffe://@cluster.local/ns/app-a/sa/app-a"),
  spelled("attack-7 an upper-case host in the URI", "spiffe://Cluster.Local/ns/app-a/sa/app-a"),
  spelled("an upper-case scheme in the URI", "SPIFFE://cluster.local/ns/app-a/sa/app-a", {
    differs: { openssl: notSpiffe, goSpiffe: "Go writes schemes in lower case as it parses a URI" },
  }),
  spelled("another scheme in the URI", "https://cluster.local/ns/app-a/sa/app-a"),
  spelled("no host in the URI", "spiffe:///ns/app-a/sa/app-a"),
  spelled("no path in the URI", "spiffe://cluster.local", {
    differs: {
      openssl: notSpiffe,
      goSpiffe: "a trust domain's own ID may be in a certificate; ours name workloads",
    },
  }),
  spelled("an empty path in the URI", "spiffe://cluster.local/"),
  spelled("a slash at the end of the URI", `${id}/`),
  spelled("an empty segment in the URI", "spiffe://cluster.local//ns/app-a/sa/app-a"),
  spelled("a dot segment in the URI", "spiffe://cluster.local/ns/app-a/../app-b/sa/app-b"),
  spelled("an escaped letter in the URI", "spiffe://cluster.local/ns/app%2da/sa/app-a"),
  spelled("attack-38 an escaped slash in the URI", "spiffe://cluster.local/ns/app-a%2fsa/app-a"),
  spelled("a backslash in the URI", String.raw`spiffe://cluster.local/ns\app-a`),
  spelled("a space in the URI", `${id} `),
  spelled("an address in brackets as host", "spiffe://[::1]/ns/app-a/sa/app-a"),
  spelled("no URI but its text", "cluster.local/ns/app-a/sa/app-a"),
  spelled("an empty URI", ""),
  spelled("a URI of 2,049 bytes", `${id}/${"a".repeat(2049 - id.length - 1)}`, {
    differs: { openssl: notSpiffe, goSpiffe: "it leaves the limit to who makes identities" },
  }),
  spelled("a URI of 2,048 bytes", `${id}/${"a".repeat(2048 - id.length - 1)}`, {
    verdict: "accepted",
    differs: {},
  }),
  spelled("attack-6 NUL in the URI", `${id}\0.evil`, unreadable),
  spelled("attack-6 a line break in the URI", `${id}\n`, unreadable),
  spelled(
    "attack-7 a look-alike letter in the URI (UTF-8)",
    "spiffe://cluster.local/ns/app-а/sa/app-a",
    unreadable,
  ),
  spelled(
    "a look-alike host in the URI (UTF-8)",
    "spiffe://сluster.local/ns/app-a/sa/app-a",
    unreadable,
  ),
  spelled(
    "bytes that are no UTF-8 in the URI",
    Uint8Array.of(...Buffer.from(id), 0xff),
    unreadable,
  ),
];

const foreign = (domain: string): readonly Uint8Array[] =>
  withLeaf({ extensions: named(uri(`spiffe://${domain}/ns/app-a/sa/app-a`)) });
/** The leaf's own name is foreign, and no constraint stands in its way. */
const unconstrained = under(plain, {}, named(uri("spiffe://other.local/ns/app-a/sa/app-a")));

const within = (...hosts: readonly string[]): readonly Uint8Array[] =>
  under([...plain, kit.nameConstraints(hosts)]);
const without = (...hosts: readonly string[]): readonly Uint8Array[] =>
  under([...plain, kit.nameConstraints([], hosts)]);
const denied = { verdict: "chain_name_not_permitted" } as const;

/** Constraints on names of one kind, permitted or excluded. */
function constraint(kind: number, value: string | Uint8Array, list: 0 | 1): Uint8Array {
  const name =
    typeof value === "string"
      ? kit.generalName(kind, value)
      : encode.encodeElement(contextTag(kind, kind === 4 ? "constructed" : "primitive"), value);
  const field = encode.encodeElement(contextTag(list, "constructed"), encode.encodeSequence(name));
  return kit.extension(oid.nameConstraints, true, encode.encodeSequence(field));
}

const minimum = encode.encodeElement(contextTag(0, "primitive"), Uint8Array.of(0));
const withMinimum = kit.extension(
  oid.nameConstraints,
  true,
  encode.encodeSequence(
    encode.encodeElement(
      contextTag(0, "constructed"),
      encode.encodeSequence(uri("cluster.local"), minimum),
    ),
  ),
);
const noConstraint = kit.extension(oid.nameConstraints, true, encode.encodeSequence());

const narrow = authority("narrow", root, [
  ...kit.authorityExtensions(1),
  kit.nameConstraints(["other.local"]),
]);
const belowNarrow = authority("issuer", narrow, constrained);
const looseIssuer = authority("issuer", narrow, plain);

const same = "it reads what it would mean, if it stood there as DER has it";
const lower =
  "to Go a host covers all hosts below it, as RFC 5280 has it for DNS names and not for URIs";

const constraints: readonly ChainCase[] = [
  {
    title: "attack-7 another trust domain",
    chain: unconstrained,
    verdict: "chain_trust_domain_foreign",
    differs: opensslOnly,
  },
  {
    title: "attack-7 another trust domain, which the issuer may not name",
    chain: foreign("other.local"),
    verdict: "chain_trust_domain_foreign",
  },
  {
    title: "attack-7 a trust domain that begins like ours",
    chain: foreign("cluster.local.evil"),
    verdict: "chain_trust_domain_foreign",
  },
  {
    title: "attack-7 a trust domain that ends like ours",
    chain: foreign("evil.cluster.local"),
    verdict: "chain_trust_domain_foreign",
  },
  { title: "an issuer for another trust domain", chain: within("other.local"), ...denied },
  {
    title: "an issuer for two trust domains, of which one is ours",
    chain: within("other.local", "cluster.local"),
    verdict: "accepted",
  },
  { title: "an issuer for ours in capitals", chain: within("CLUSTER.LOCAL"), verdict: "accepted" },
  { title: "an issuer for hosts below ours", chain: within(".cluster.local"), ...denied },
  { title: "an issuer for hosts below .local", chain: within(".local"), verdict: "accepted" },
  {
    title: "an issuer for a part of our name",
    chain: within("local"),
    ...denied,
    differs: { goSpiffe: lower },
  },
  {
    title: "an issuer for our name with its scheme",
    chain: within("spiffe://cluster.local"),
    ...denied,
  },
  {
    title: "an issuer for an empty name",
    chain: within(""),
    ...denied,
    differs: { goSpiffe: "an empty host covers every name to Go, and none to OpenSSL" },
  },
  {
    title: "an issuer from which our trust domain is excluded",
    chain: without("cluster.local"),
    ...denied,
  },
  {
    title: "an issuer from which another is excluded",
    chain: without("other.local"),
    verdict: "accepted",
  },
  {
    title: "an issuer from which everything below .local is excluded",
    chain: without(".local"),
    ...denied,
  },
  {
    title: "an issuer from which the empty name is excluded",
    chain: without(""),
    ...denied,
    differs: {
      openssl:
        "an empty host covers no name to OpenSSL, and every one to Go; to us it permits none and excludes all",
      sidecar: "as openssl: no authority of ours says that",
    },
  },
  {
    title: "what is permitted and excluded",
    chain: under([...plain, kit.nameConstraints(["cluster.local"], ["cluster.local"])]),
    ...denied,
  },
  {
    title: "an intermediate for another domain above an issuer for ours",
    chain: [leaf(belowNarrow), belowNarrow.der, narrow.der],
    ...denied,
  },
  {
    title: "an intermediate for another domain above an issuer for all",
    chain: [leaf(looseIssuer), looseIssuer.der, narrow.der],
    ...denied,
  },
  {
    title: "constraints that are not critical",
    chain: under([...plain, kit.nameConstraints(["cluster.local"], [], false)]),
    ...denied,
    differs: {
      openssl: "they hold either way to it",
      goSpiffe: "as openssl",
      sidecar: "as openssl: critical or not, they are kept",
    },
  },
  {
    title: "constraints that are not critical and not kept",
    chain: under([...plain, kit.nameConstraints(["other.local"], [], false)]),
    ...denied,
  },
  {
    title: "an issuer for DNS names alone",
    chain: under([...plain, constraint(2, "cluster.local", 0)]),
    verdict: "accepted",
  },
  {
    title: "an issuer from which a DNS name is excluded",
    chain: under([...plain, constraint(2, "cluster.local", 1)]),
    verdict: "accepted",
  },
  {
    title: "constraints on whole names",
    chain: under([...plain, constraint(4, kit.encodeName("x"), 0)]),
    ...denied,
    differs: {
      openssl: "an empty subject is outside of no directory name",
      sidecar: "as openssl: the subject of a leaf means nothing to us",
    },
  },
  {
    title: "constraints with a minimum that is the default",
    chain: under([...plain, withMinimum]),
    ...unreadable,
    differs: { openssl: same, goSpiffe: same, sidecar: same },
  },
  {
    title: "constraints that constrain nothing",
    chain: under([...plain, noConstraint]),
    ...unreadable,
    differs: { openssl: same, sidecar: same },
  },
];

export const names: readonly ChainCase[] = [...uris, ...constraints];
