import test from "ava";
import { createLink, createRoot } from "#/ca/authority-certificate.ts";
import type { Authority } from "#/ca/authority-certificate.ts";
import { makeIntermediate, makeRoot } from "#/ca/mesh-authorities.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { fingerprint, toPem } from "./bundle.ts";
import { rootsByPins } from "./links.ts";

const trustDomain = parseTrustDomain("cluster.local");
const now = Date.now();
const root = (): Promise<Authority> => makeRoot(trustDomain, now);
const [first, second, third, foreign] = await Promise.all([root(), root(), root(), root()]);
const pem = (...ders: readonly Uint8Array[]): string => ders.map(toPem).join("");
const links = pem(
  second.certificate,
  await createLink(second, third.certificate),
  first.certificate,
  await createLink(first, second.certificate),
);
const pinOf = ({ certificate }: Authority): string => fingerprint(certificate);
const refused = { code: "pins_unmatched" };

test("attack-19 rootsByPins takes pinned roots alone, whatever else the file holds", (t) => {
  const bundle = pem(foreign.certificate, first.certificate);
  t.deepEqual(rootsByPins({ bundle, links: "" }, [pinOf(first)], now), [first.certificate]);
  t.deepEqual(rootsByPins({ bundle, links }, [pinOf(first)], now), [first.certificate]);
});

test("attack-19 rootsByPins refuses a file in which nothing is pinned", (t) => {
  for (const pins of [[], [pinOf(first)], [""], [pinOf(foreign).slice(0, 32)]]) {
    t.throws(
      () => rootsByPins({ bundle: pem(foreign.certificate), links: "" }, pins, now),
      refused,
    );
    t.throws(() => rootsByPins({ bundle: pem(foreign.certificate), links }, pins, now), refused);
  }
});

test("rootsByPins goes from the pin of a former root to the present one", (t) => {
  const bundle = pem(third.certificate);
  for (const pinned of [first, second, third]) {
    t.deepEqual(rootsByPins({ bundle, links }, [pinOf(pinned)], now), [third.certificate]);
  }
  const both = pem(third.certificate, second.certificate);
  t.deepEqual(rootsByPins({ bundle: both, links }, [pinOf(first)], now), [
    third.certificate,
    second.certificate,
  ]);
});

test("attack-19 rootsByPins goes no way that a pinned root has not signed", async (t) => {
  const bundle = pem(foreign.certificate);
  const pins = [pinOf(first)];
  const refuses = (what: string, ...steps: readonly Uint8Array[]): void => {
    t.throws(() => rootsByPins({ bundle, links: pem(...steps) }, pins, now), refused, what);
  };
  const ofForeign = await createLink(first, foreign.certificate);
  t.notThrows(() => rootsByPins({ bundle, links: pem(first.certificate, ofForeign) }, pins, now));
  refuses("without the pinned root nobody can tell who signed", ofForeign);
  const self = await createLink(foreign, foreign.certificate);
  refuses("signed by the one that it is for", first.certificate, self);
  const byOther = await createLink(second, foreign.certificate);
  refuses("signed by one that is not reached", first.certificate, second.certificate, byOther);
  const back = await createLink(second, first.certificate);
  refuses("the wrong way round", first.certificate, second.certificate, back);
  const forged = Uint8Array.from(ofForeign);
  forged[forged.length - 5]! ^= 1;
  refuses("changed after it was signed", first.certificate, forged);
  // An intermediate of the pinned root is no root of anybody, and neither does it make one.
  const below = await makeIntermediate(first, trustDomain, now);
  refuses("an intermediate's word", first.certificate, below.certificate);
  t.throws(
    () => rootsByPins({ bundle: pem(below.certificate), links: pem(first.certificate) }, pins, now),
    refused,
  );
});

test("rootsByPins goes by no link that has ended, and reads past what it cannot read", async (t) => {
  const dayMs = 86_400_000;
  const name = "signet root of cluster.local";
  const ended = await createRoot({
    name,
    trustDomain,
    notBefore: now - dayMs,
    notAfter: now + dayMs,
  });
  const link = await createLink(ended, first.certificate);
  const steps = pem(ended.certificate, link);
  const given = { bundle: pem(first.certificate), links: steps };
  t.deepEqual(rootsByPins(given, [pinOf(ended)], now), [first.certificate]);
  t.throws(() => rootsByPins(given, [pinOf(ended)], now + 2 * dayMs), refused);
  const odd = pem(Uint8Array.of(1, 2, 3));
  const bundle = `${odd}${pem(second.certificate)}`;
  t.deepEqual(rootsByPins({ bundle, links: `${odd}${links}` }, [pinOf(first)], now), [
    second.certificate,
  ]);
});
