// Certificates as our CA makes them, as many as one likes: roots, intermediates and issuers of several
// trust domains, and leaves under them of identities, lives and names of every size that is allowed.
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { checkIssued } from "#/ca/issued-check.ts";
import { IssuerSource } from "#/ca/issuer.ts";
import type { Issuer } from "#/ca/issuer.ts";
import { makeIntermediate, makeRoot } from "#/ca/mesh-authorities.ts";
import { serialBytes, signLeaf } from "#/ca/signer.ts";
import { leafTemplate, lifetimeDefaultS } from "#/ca/template.ts";
import { parseTrustDomain, workloadId } from "#/identity/spiffe-id.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";

const trustDomains = ["cluster.local", "a", "prod_eu-1.mesh.example.com", `${"d".repeat(63)}.test`];
/** Seconds: the least, the most, and between; 0 asks for the default. */
const lifetimesS = [0, 30, 31, 900, 3600, 86_399, 86_400];
/** Each so many leaves, one serves a webhook by DNS name. */
const servingEvery = 16;

/**
 * DER of `leaves` leaves and of the authorities above them, in no order. What varies is drawn from
 * `seed`; keys and serial numbers are new each time.
 */
export async function* certificates(leaves: number, seed: string): AsyncGenerator<Uint8Array> {
  const domains = trustDomains.map(parseTrustDomain);
  const sources = await Promise.all(domains.map(authoritiesOf));
  try {
    for (const { root, source } of sources) {
      yield root;
      yield* source.current().chain;
    }
    for (let index = 0; index < leaves; index += 1) {
      const at = index % domains.length;
      const draw = createHash("sha256").update(`${seed} ${index}`).digest();
      yield issue(domains[at]!, sources[at]!.source.current(), draw);
    }
  } finally {
    for (const { source } of sources) source.stop();
  }
}

async function authoritiesOf(trustDomain: TrustDomain) {
  const now = systemClock.now();
  const root = await makeRoot(trustDomain, now);
  const source = await IssuerSource.start({
    trustDomain,
    intermediate: await makeIntermediate(root, trustDomain, now),
    roots: [root.certificate],
    clock: systemClock,
    randomBytes,
    random: () => 0.5,
    log: silentLog,
  });
  return { root: root.certificate, source };
}

/** A leaf by the same steps as ca/service.ts: template, signature, and the look at what was signed. */
function issue(trustDomain: TrustDomain, issuer: Issuer, draw: Buffer): Uint8Array {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const [namespace, account] = [label(draw.subarray(0, 8), 63), label(draw.subarray(8, 16), 253)];
  const isServing = draw[16]! % servingEvery === 0;
  const template = leafTemplate({
    id: workloadId(trustDomain, namespace, account),
    dnsNames: isServing ? [`${label(draw.subarray(8, 16), 63)}.${namespace}.svc`] : [],
    publicKey: publicKey.export({ type: "spki", format: "der" }),
    lifetimeS: lifetimesS[draw[17]! % lifetimesS.length]!,
    lifetimeDefaultS,
    now: systemClock.now(),
    issuer,
  });
  const der = signLeaf(template, issuer, randomBytes(serialBytes));
  checkIssued(der, template, issuer);
  return der;
}

/** A name that Kubernetes allows, of 1 to `charactersMax` characters: the first byte says how many. */
function label(draw: Uint8Array, charactersMax: number): string {
  const length = 1 + (draw[0]! % charactersMax);
  const text = Buffer.from(draw).toString("hex").repeat(16).slice(0, length);
  // A hyphen inside, where there is an inside.
  return length < 3 ? text : `${text[0]}-${text.slice(2)}`;
}
