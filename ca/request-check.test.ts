import test from "ava";
import { tokenBinding } from "#/identity/csr.ts";
import type { CsrFacts } from "#/identity/csr.ts";
import { oid } from "#/identity/object-identifiers.ts";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import { CaError } from "./ca-error.ts";
import type { CaErrorCode } from "./ca-error.ts";
import { checkBinding, checkRequest } from "./request-check.ts";

const id = parseSpiffeId("spiffe://cluster.local/ns/app-a/sa/app-a");
const nothing: CsrFacts = {
  publicKey: new Uint8Array(),
  hasSubject: false,
  names: [],
  asksForAuthority: false,
  extensionOids: [],
  binding: null,
  otherAttributes: [],
};
const san = [oid.subjectAlternativeName];
const asking = (value: string): Partial<CsrFacts> => ({
  names: [{ kind: "uri", value }],
  extensionOids: san,
});

test("checkRequest takes a request for nothing, and one for exactly the token's identity", (t) => {
  t.notThrows(() => checkRequest(nothing, id));
  t.notThrows(() => checkRequest({ ...nothing, ...asking(id) }, id));
});

const own = { kind: "uri", value: id } as const;
const denied: readonly (readonly [string, Partial<CsrFacts>, CaErrorCode])[] = [
  ["attack-1 another account", asking(id.replace(/app-a$/, "app-b")), "csr_asks_for_identity"],
  [
    "attack-1 another namespace",
    asking(id.replace("ns/app-a", "ns/app-b")),
    "csr_asks_for_identity",
  ],
  [
    "attack-1 the controller",
    asking("spiffe://cluster.local/ns/signet-system/sa/signet-controller"),
    "csr_asks_for_identity",
  ],
  [
    "attack-7 another trust domain",
    asking(id.replace("cluster", "other")),
    "csr_asks_for_identity",
  ],
  ["attack-7 another case", asking(id.toUpperCase()), "csr_asks_for_identity"],
  [
    "attack-8 what a pattern would match",
    asking(id.replace("app-a", "app.a")),
    "csr_asks_for_identity",
  ],
  ["attack-8 a longer name", asking(`${id}b`), "csr_asks_for_identity"],
  ["attack-8 a shorter name", asking(id.slice(0, -1)), "csr_asks_for_identity"],
  [
    "attack-1 something that is no identity",
    asking("https://example.com"),
    "csr_asks_for_identity",
  ],
  ["attack-2 its identity twice", { names: [own, own], extensionOids: san }, "csr_asks_for_names"],
  [
    "attack-2 a DNS name beside it",
    { names: [own, { kind: "dns", value: "app-a" }], extensionOids: san },
    "csr_asks_for_names",
  ],
  [
    "attack-2 a second identity",
    { names: [own, { kind: "uri", value: `${id}b` }], extensionOids: san },
    "csr_asks_for_names",
  ],
  ...(["dns", "ip", "email", "other", "directory", "registered"] as const).map(
    (kind) =>
      [
        `attack-2 a name of kind ${kind}`,
        { names: [{ kind, value: id }], extensionOids: san },
        "csr_asks_for_names",
      ] as const,
  ),
  ["attack-2 a subject", { hasSubject: true }, "csr_asks_for_names"],
  [
    "attack-3 to be an authority",
    { asksForAuthority: true, extensionOids: [oid.basicConstraints] },
    "csr_asks_for_authority",
  ],
  [
    "attack-3 basicConstraints at all",
    { extensionOids: [oid.basicConstraints] },
    "csr_asks_for_extensions",
  ],
  ["attack-3 a key usage", { extensionOids: [oid.keyUsage] }, "csr_asks_for_extensions"],
  [
    "attack-3 an extended key usage",
    { extensionOids: [oid.extendedKeyUsage] },
    "csr_asks_for_extensions",
  ],
  [
    "attack-3 a constraint beside its identity",
    { ...asking(id), extensionOids: [...san, oid.nameConstraints] },
    "csr_asks_for_extensions",
  ],
  [
    "attack-3 another attribute",
    { otherAttributes: ["1.2.840.113549.1.9.7"] },
    "csr_asks_for_extensions",
  ],
];

for (const [what, change, code] of denied) {
  const title = what.replace(" ", " checkRequest refuses a request for ");
  test(title, (t) => {
    const error = t.throws(() => checkRequest({ ...nothing, ...change }, id), {
      instanceOf: CaError,
    });
    t.is(error.code, code);
  });
}

test("attack-10 checkBinding takes a request that was made for the token, and no other", (t) => {
  t.notThrows(() => checkBinding({ binding: tokenBinding("token") }, "token"));
  const others = [
    null,
    "",
    "token",
    tokenBinding("tokens"),
    tokenBinding(""),
    `${tokenBinding("token")}=`,
  ];
  for (const binding of others) {
    t.throws(() => checkBinding({ binding }, "token"), {
      instanceOf: CaError,
      code: "csr_not_bound",
    });
  }
});
