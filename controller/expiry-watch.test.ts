import test from "ava";
import { makeIntermediate, makeRoot, newRecord, rootLifeMs } from "#/ca/mesh-authorities.ts";
import { intermediateLifeMs } from "#/ca/mesh-authorities.ts";
import { parseTrustDomain } from "#/identity/spiffe-id.ts";
import { silentLog } from "#/lib/log.ts";
import { Registry } from "#/lib/metrics.ts";
import { Watch } from "#/lib/watch.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { ExpiryWatch } from "./expiry-watch.ts";
import { declareMetrics } from "./metrics.ts";
import { readTrust } from "./trust.ts";

const trustDomain = parseTrustDomain("cluster.local");
const begin = 1_800_000_000_000;
const root = await makeRoot(trustDomain, begin);
const intermediate = await makeIntermediate(root, trustDomain, begin);

for (const [custody, withRootKey, wanted] of [
  ["an offline root's intermediate at 50, 25 and 10 %", false, ["info", "warn", "error", "error"]],
  ["a managed one only when it was not renewed", true, ["warn", "error", "error"]],
] as const) {
  test(`ExpiryWatch tells of ${custody}, once each`, (t) => {
    const clock = new ManualClock(begin);
    const said: string[] = [];
    const say =
      (level: string) =>
      (_message: string, fields: object = {}) => {
        if ((fields as { authority: string }).authority === "intermediate") said.push(level);
      };
    const log = { ...silentLog, info: say("info"), warn: say("warn"), error: say("error") };
    const record = newRecord({ root, intermediate, withRootKey });
    const stored = {
      custody: "folder",
      place: "here",
      record,
      isSealed: false,
      version: "1",
    } as const;
    const trust = new Watch(readTrust(stored, trustDomain));
    const registry = new Registry();
    const metrics = declareMetrics(registry);
    using _watch = new ExpiryWatch({ trust, metrics, clock, log });
    t.deepEqual(said, []);
    for (const share of [0.4, 0.51, 0.6, 0.76, 0.91, 1.01]) {
      clock.advance(begin + share * intermediateLifeMs - clock.now());
      trust.set(trust.get());
    }
    t.deepEqual(said, [...wanted]);
    const text = registry.expose();
    t.regex(text, /authority_not_after_seconds\{authority="root"\} \d{10}/);
    t.true(rootLifeMs > intermediateLifeMs);
    t.regex(text, /authority_life_left_ratio\{authority="intermediate"\} 0\n/);
  });
}
