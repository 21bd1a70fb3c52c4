import test from "ava";
import type { KeyObject } from "node:crypto";
import { parseSpiffeId } from "#/identity/spiffe-id.ts";
import type { Svid } from "#/identity/svid.ts";
import { silentLog } from "#/lib/log.ts";
import { OwnIdentity } from "./own-identity.ts";

const id = parseSpiffeId("spiffe://cluster.local/ns/signet-system/sa/signet-controller");
const lifeMs = 30_000;

/** A clock that is turned by hand, and an authority that can be told to fail. */
class Scene {
  now = 0;
  isBroken = false;
  readonly keys: KeyObject[] = [];
  #timers: { at: number; callback: () => void }[] = [];

  readonly clock = {
    now: () => this.now,
    monotonic: () => this.now,
    after: (delayMs: number, callback: () => void) => {
      const timer = { at: this.now + delayMs, callback };
      this.#timers.push(timer);
      return () => void (this.#timers = this.#timers.filter((each) => each !== timer));
    },
  };

  readonly authority = {
    issueOwn: async (privateKey: KeyObject): Promise<Svid> => {
      if (this.isBroken) throw new Error("no disk");
      this.keys.push(privateKey);
      const serial = String(this.keys.length);
      const times = { notBefore: this.now, notAfter: this.now + lifeMs };
      return { id, chain: [], privateKey, ...times, serial, logIndex: null };
    },
  };

  start(): Promise<OwnIdentity> {
    const own = { id, pod: "", podUid: "", address: "" };
    const { authority, clock } = this;
    return OwnIdentity.start({ authority, own, clock, random: () => 0.5, log: silentLog });
  }

  get timers(): readonly number[] {
    return this.#timers.map(({ at }) => at);
  }

  async turnTo(now: number): Promise<void> {
    this.now = now;
    const due = this.#timers.filter(({ at }) => at <= now);
    this.#timers = this.#timers.filter(({ at }) => at > now);
    for (const { callback } of due) callback();
    // Keys are made off the event loop.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("OwnIdentity renews after a third of its life, with a new key", async (t) => {
  const scene = new Scene();
  using own = await scene.start();
  t.deepEqual(scene.timers, [10_000]);
  await scene.turnTo(10_000);
  t.is(own.svid.get().serial, "2");
  t.false(scene.keys[0]?.equals(scene.keys[1]!));
  t.deepEqual(scene.timers, [20_000]);
});

test("OwnIdentity keeps the last good one while it cannot renew, and tries again", async (t) => {
  const scene = new Scene();
  using own = await scene.start();
  scene.isBroken = true;
  await scene.turnTo(10_000);
  t.is(own.svid.get().serial, "1");
  t.deepEqual(scene.timers, [10_750]);
  await scene.turnTo(10_750);
  t.deepEqual(scene.timers, [12_250]);
  scene.isBroken = false;
  await scene.turnTo(12_250);
  t.is(own.svid.get().serial, "2");
});

test("OwnIdentity does not start without a first certificate", async (t) => {
  const scene = new Scene();
  scene.isBroken = true;
  await t.throwsAsync(scene.start(), { message: "no disk" });
});

test("OwnIdentity leaves no timer behind", async (t) => {
  const scene = new Scene();
  (await scene.start())[Symbol.dispose]();
  t.deepEqual(scene.timers, []);
});
