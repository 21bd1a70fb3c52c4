import test from "ava";
import { createLink } from "#/ca/authority-certificate.ts";
import { makeRoot } from "#/ca/mesh-authorities.ts";
import { fingerprint, toPem } from "#/identity/bundle.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { systemClock } from "#/lib/clock.ts";
import { silentLog } from "#/lib/log.ts";
import { InjectorTrust, readTrust } from "./trust.ts";
import type { TrustTexts } from "./trust.ts";

const trustDomain = parseTrustDomain("cluster.local");
const now = Date.now();
const [former, present] = [await makeRoot(trustDomain, now), await makeRoot(trustDomain, now)];
const [formerPin, presentPin] = [former, present].map((each) => fingerprint(each.certificate));
const link = await createLink(former, present.certificate);
const before: TrustTexts = { bundle: toPem(former.certificate), links: "", authority: "a" };
const after: TrustTexts = {
  bundle: toPem(present.certificate),
  links: toPem(former.certificate) + toPem(link),
  authority: "b",
};

test("readTrust pins what the bundle holds, and knows what was pinned before", (t) => {
  t.like(readTrust(before, [], now), { pins: [formerPin], formerPins: [] });
  const trust = readTrust(after, [], now);
  t.deepEqual(trust.pins, [presentPin]);
  t.true(trust.formerPins.includes(formerPin!));
});

test("attack-19 readTrust with pins of its own follows links from those alone", (t) => {
  t.deepEqual(readTrust(after, [formerPin!], now).roots, [present.certificate]);
  t.deepEqual(readTrust(after, [formerPin!], now).pins, [formerPin], "as they were configured");
  t.throws(() => readTrust({ ...after, links: "" }, [formerPin!], now), { code: "pins_unmatched" });
});

test("InjectorTrust uses another bundle only once API servers were told of it", async (t) => {
  const told: string[] = [];
  let release = (): void => {};
  const announce = (pem: string): Promise<void> => {
    told.push(pem);
    return new Promise((resolve) => (release = resolve));
  };
  const first = readTrust(before, [], now);
  using keeper = new InjectorTrust({
    first,
    pins: [],
    announce,
    clock: systemClock,
    log: silentLog,
  });
  t.deepEqual(told, [], "what a file says is told to nobody");
  keeper.offer(before);
  t.deepEqual(told, [before.bundle]);
  release();
  await new Promise((resolve) => setTimeout(resolve, 10));
  keeper.offer(before);
  t.deepEqual(told.splice(0), [before.bundle], "once");
  const taken = keeper.trust.get();
  const garbage = { ...after, bundle: "garbage" };
  keeper.offer(garbage);
  keeper.offer(after);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  t.deepEqual(told, [after.bundle], "what cannot be read is told to nobody");
  t.is(keeper.trust.get(), taken);
  release();
  await new Promise((resolve) => setTimeout(resolve, 10));
  t.deepEqual(keeper.trust.get().pins, [presentPin]);
});
