import test from "ava";
import { formerIntermediateMs } from "#/ca/jwt-authority.ts";
import { jwtKeyLifeMs } from "#/ca/jwt-keys.ts";
import type { JwtAuthority } from "#/identity/jwt-svid.ts";
import { Watch } from "#/lib/watch.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { keepTokenKeys } from "./token-keys.ts";

test("token keys are told at once, when a day begins, and around a change of the intermediate", (t) => {
  const day = Date.UTC(2026, 0, 2);
  const clock = new ManualClock(day - 60_000);
  const trust = new Watch({ authority: "one" });
  const told: string[] = [];
  let requests = 0;
  const authorities = (): readonly JwtAuthority[] => [
    { keyId: `${trust.get().authority} at ${clock.now() - day}`, publicKey: Uint8Array.of(1) },
  ];
  const kept = keepTokenKeys({
    mesh: { setTokenKeys: (keys) => void told.push(...keys.map(({ keyId }) => keyId)) },
    jwt: { authorities },
    trust,
    loop: { request: () => void (requests += 1) },
    clock,
  });
  clock.advance(59_999);
  t.deepEqual(told, ["one at -60000"]);
  clock.advance(1);
  trust.set({ authority: "one" });
  trust.set({ authority: "other" });
  clock.advance(formerIntermediateMs);
  t.deepEqual(told.slice(1), ["one at 0", "other at 0", `other at ${formerIntermediateMs}`]);
  clock.advance(jwtKeyLifeMs - formerIntermediateMs);
  t.deepEqual([told.length, requests], [5, 5]);
  trust.set({ authority: "third" });
  kept[Symbol.dispose]();
  clock.advance(2 * jwtKeyLifeMs);
  t.is(told.length, 6);
});
