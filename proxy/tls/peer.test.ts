// Callers of every kind before a sidecar: the table of identity/verify.test.ts, judged by handshakes. Here
// OpenSSL verifies the chain, and our rules are held against the leaf.
import test from "ava";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import {
  above,
  expectedOf,
  hourMs,
  id,
  issuer,
  leaf,
  leafKey,
  now,
  roots,
} from "#/test/kit/chains/chain-case.ts";
import { handshakeVerdict } from "#/test/kit/chains/handshake.ts";
import { chainCases } from "#/test/kit/chains/table.ts";

const trustDomain = parseTrustDomain("cluster.local");
const own: Svid = {
  id: parseSpiffeId(id),
  chain: [leaf(issuer), ...above],
  privateKey: leafKey,
  notBefore: now - hourMs,
  notAfter: now + hourMs,
  serial: "4142",
  logIndex: null,
};

for (const one of chainCases.filter(({ at }) => at === undefined)) {
  const expected = expectedOf(one, "sidecar");
  const does = expected === "accepted" ? "takes" : "refuses";
  const words = /^attack-\d+ /.test(one.title)
    ? one.title.replace(" ", ` a sidecar ${does} a caller with `)
    : `a sidecar ${does} a caller with ${one.title}`;
  test(words, async (t) => {
    const said = await handshakeVerdict({ own, trustDomain, roots: one.roots ?? roots }, one);
    t.is(said === "accepted", expected === "accepted", said);
  });
}
