import test from "ava";
import type { Hello, Resource, Update } from "#/api/discovery.ts";
import type { MtlsMode } from "#/api/policy.ts";
import { RpcError } from "#/api/rpc-error.ts";
import type { ControllerConnection, SubscriptionHandlers } from "#/api/rpc.ts";
import type { Svid } from "#/identity/svid.ts";
import { silentLog } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import { bundle, cluster, policy, suspensions } from "#/test/kit/resources.ts";
import { DiscoveryWatch, discoveryBackoff, silenceMaxMs } from "./discovery-watch.ts";

const pod = { namespace: "app-a", name: "a", uid: "u" };

/** One stream as the stand-in for the controller sees it. */
class Stream {
  readonly hello: Hello;
  readonly #handlers: SubscriptionHandlers;
  readonly answers: string[] = [];
  isOpen = true;
  #sequence = 0;

  constructor(hello: Hello, handlers: SubscriptionHandlers) {
    this.hello = hello;
    this.#handlers = handlers;
  }

  tell(upserts: readonly Resource[], other: Partial<Update> = {}): void {
    this.#sequence += 1;
    this.#handlers.onUpdate({
      sequence: this.#sequence,
      upserts,
      removals: [],
      synced: false,
      ...other,
    });
  }

  ending(): void {
    this.#handlers.onEnding?.();
  }

  end(): void {
    this.#handlers.onEnd(new RpcError("unavailable", "away"));
  }

  unreadable(error: Parameters<NonNullable<SubscriptionHandlers["onUnreadable"]>>[0]): void {
    this.#handlers.onUnreadable?.(error);
  }
}

/** A watch over streams in memory. */
class Fixture implements Disposable {
  readonly clock = new ManualClock(1_000_000);
  readonly streams: Stream[] = [];
  readonly connections: Svid[] = [];
  readonly svid: Watch<Svid | null>;
  readonly watch: DiscoveryWatch;
  /** Each value of `connected`. */
  readonly connected: boolean[] = [];
  closed = 0;
  refuseToConnect = false;

  constructor(svid: Svid | null = certificate("1"), settled?: (then: () => void) => void) {
    this.svid = new Watch<Svid | null>(svid);
    this.watch = new DiscoveryWatch({
      pod,
      svid: this.svid,
      connect: (with_) => this.#connect(with_),
      clock: this.clock,
      random: () => 0.999_999,
      log: silentLog,
      ...(settled === undefined ? {} : { settled }),
    });
    this.watch.connected.onChange((value) => this.connected.push(value));
  }

  /** The newest stream. */
  get last(): Stream {
    return this.streams.at(-1)!;
  }

  get mode(): MtlsMode | undefined {
    return this.watch.snapshot.get().policy?.mode;
  }

  [Symbol.dispose](): void {
    this.watch.stop();
  }

  #connect(svid: Svid): ControllerConnection {
    if (this.refuseToConnect) throw new Error("Cannot use this certificate");
    this.connections.push(svid);
    return {
      issue: () => Promise.reject(new Error("A watch asks for no certificate")),
      issueJwt: () => Promise.reject(new Error("A watch asks for no token")),
      subscribe: (hello, handlers) => {
        const stream = new Stream(hello, handlers);
        this.streams.push(stream);
        return {
          ack: (sequence) => stream.answers.push(`ack ${sequence}`),
          nack: (sequence, reason) => stream.answers.push(`nack ${sequence} ${reason}`),
          close: () => void (stream.isOpen = false),
        };
      },
      close: () => void (this.closed += 1),
    };
  }
}

function certificate(serial: string): Svid {
  return { serial } as unknown as Svid;
}

test("discovery says hello, applies what it is told and acknowledges it", (t) => {
  using fixture = new Fixture();
  t.deepEqual(fixture.last.hello, { podNamespace: "app-a", podName: "a", podUid: "u", held: [] });
  t.false(fixture.watch.connected.get());
  fixture.last.tell([policy("strict"), suspensions, bundle], { synced: true });
  t.true(fixture.watch.connected.get());
  t.is(fixture.mode, "strict");
  t.true(fixture.watch.snapshot.get().synced);
  t.deepEqual(fixture.last.answers, ["ack 1"]);
});

test("discovery refuses what it cannot apply with the reason, and keeps the last good", (t) => {
  using fixture = new Fixture();
  fixture.last.tell([policy("strict"), suspensions, bundle], { synced: true });
  const good = fixture.watch.snapshot.get();
  fixture.last.tell([policy("permissive", "2"), cluster("")]);
  t.is(fixture.watch.snapshot.get(), good, "nothing of the update holds");
  t.regex(fixture.last.answers[1] ?? "", /^nack 2 Cannot accept cluster/);
  fixture.last.tell([policy("permissive", "3")]);
  t.is(fixture.mode, "permissive");
  t.is(fixture.last.answers[2], "ack 3");
});

test("discovery keeps its snapshot while the controller is away, and says what it holds", (t) => {
  using fixture = new Fixture();
  fixture.last.tell([policy("strict"), suspensions, bundle], { synced: true });
  const before = fixture.watch.snapshot.get();
  fixture.last.end();
  t.deepEqual(fixture.connected, [true, false]);
  t.is(fixture.watch.snapshot.get(), before);
  fixture.clock.advance(discoveryBackoff.maxMs);
  t.is(fixture.streams.length, 2);
  t.deepEqual(
    fixture.last.hello.held.map(({ kind, version }) => `${kind} ${version}`),
    ["serverPolicy strict", "suspensions 1", "trustBundle 1"],
  );
  fixture.last.tell([], { synced: true });
  t.deepEqual(fixture.connected, [true, false, true]);
  t.is(fixture.mode, "strict");
});

test("discovery backs off ever longer, also from streams that end as soon as they have spoken", (t) => {
  using fixture = new Fixture();
  const waits: number[] = [];
  for (let round = 0; round < 8; round += 1) {
    fixture.last.tell([policy("strict"), suspensions, bundle], { synced: true });
    fixture.last.end();
    const { length } = fixture.streams;
    let waitedMs = 0;
    while (fixture.streams.length === length) {
      fixture.clock.advance(100);
      waitedMs += 100;
    }
    waits.push(waitedMs);
  }
  t.deepEqual(waits, [200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  fixture.last.tell([], { synced: true });
  fixture.clock.advance(discoveryBackoff.maxMs);
  fixture.last.end();
  const { length } = fixture.streams;
  fixture.clock.advance(200);
  t.is(fixture.streams.length, length + 1, "one that lived begins anew");
});

test("discovery moves to the new certificate without a gap", (t) => {
  using fixture = new Fixture();
  const first = fixture.last;
  first.tell([policy("permissive"), suspensions, bundle], { synced: true });
  fixture.svid.set(certificate("2"));
  t.deepEqual(
    fixture.connections.map(({ serial }) => serial),
    ["1", "2"],
  );
  t.true(first.isOpen, "the old one stays until the new one has spoken");
  first.tell([policy("strict")]);
  t.is(fixture.mode, "strict", "and is listened to");
  fixture.last.tell([policy("strict")], { synced: true });
  t.false(first.isOpen);
  t.is(fixture.closed, 1);
  t.deepEqual(fixture.connected, [true]);
  t.deepEqual(fixture.last.answers, ["ack 1"]);
});

test("discovery moves before the controller's certificate ends, without a gap", (t) => {
  using fixture = new Fixture();
  const first = fixture.last;
  first.tell([policy("permissive"), suspensions, bundle], { synced: true });
  first.ending();
  t.is(fixture.streams.length, 2);
  first.ending();
  t.is(fixture.streams.length, 2, "once");
  t.true(first.isOpen, "the old one stays until the new one has spoken");
  fixture.last.tell([policy("strict")], { synced: true });
  t.false(first.isOpen);
  first.ending();
  t.is(fixture.streams.length, 2, "the old one says nothing any more");
  t.deepEqual(fixture.connected, [true]);
  t.is(fixture.mode, "strict");
});

test("discovery shows nothing of the new stream before it has told everything", (t) => {
  using fixture = new Fixture();
  const first = fixture.last;
  first.tell([policy("permissive"), suspensions, bundle], { synced: true });
  fixture.svid.set(certificate("2"));
  const second = fixture.last;
  second.tell([cluster("b/b:80")]);
  t.deepEqual([...fixture.watch.snapshot.get().clusters.keys()], []);
  first.tell([policy("strict"), cluster("c/c:80")]);
  second.tell([cluster("d/d:80")]);
  t.is(fixture.mode, "strict");
  // The world as the new stream tells it: c/c is gone, and the old stream cannot say so any more.
  second.tell([policy("strict")], { synced: true });
  t.is(fixture.mode, "strict");
  t.deepEqual([...fixture.watch.snapshot.get().clusters.keys()], ["b/b:80", "d/d:80"]);
  t.deepEqual(second.answers, ["ack 1", "ack 2", "ack 3"]);
});

test("discovery never turns a policy back when the old stream ends in the middle", (t) => {
  using fixture = new Fixture();
  const first = fixture.last;
  const modes: (MtlsMode | undefined)[] = [];
  fixture.watch.snapshot.onChange((snapshot) => modes.push(snapshot.policy?.mode));
  first.tell([policy("permissive"), suspensions, bundle], { synced: true });
  fixture.svid.set(certificate("2"));
  first.tell([policy("strict")]);
  first.end();
  t.is(fixture.streams.length, 2, "the one that takes over is waited for");
  t.is(fixture.clock.timerCount, 1, "which is bounded");
  fixture.last.tell([cluster("b/b:80")]);
  fixture.last.tell([cluster("d/d:80")]);
  t.is(fixture.mode, "strict");
  fixture.last.tell([policy("strict")], { synced: true });
  t.deepEqual(modes, ["permissive", "strict", "strict"]);
  t.is(fixture.watch.snapshot.get().clusters.size, 2);
});

test("discovery serves from the old stream when the new one fails, and tries again", (t) => {
  using fixture = new Fixture();
  const first = fixture.last;
  first.tell([policy("permissive"), suspensions, bundle], { synced: true });
  fixture.svid.set(certificate("2"));
  fixture.last.end();
  t.deepEqual(fixture.connected, [true]);
  first.tell([policy("strict")]);
  t.is(fixture.mode, "strict");
  fixture.clock.advance(discoveryBackoff.maxMs);
  t.is(fixture.streams.length, 3);
  fixture.last.tell([], { synced: true });
  t.false(first.isOpen);
});

test("discovery gives a stream up that says nothing", (t) => {
  using fixture = new Fixture();
  const [first] = fixture.streams;
  fixture.clock.advance(silenceMaxMs - 1);
  t.true(first!.isOpen);
  fixture.clock.advance(1);
  t.false(first!.isOpen);
  fixture.clock.advance(discoveryBackoff.maxMs);
  t.is(fixture.streams.length, 2);
  fixture.last.tell([policy("strict"), suspensions, bundle]);
  fixture.clock.advance(silenceMaxMs);
  t.false(fixture.last.isOpen, "also one that stops in the middle");
  fixture.clock.advance(discoveryBackoff.maxMs);
  const third = fixture.last;
  third.tell([], { synced: true });
  fixture.clock.advance(10 * silenceMaxMs);
  t.true(third.isOpen, "one that has told everything may be silent");
});

test("discovery takes a certificate that cannot be used as a failed stream", (t) => {
  using fixture = new Fixture();
  fixture.last.tell([policy("strict"), suspensions, bundle], { synced: true });
  fixture.refuseToConnect = true;
  fixture.svid.set(certificate("2"));
  t.true(fixture.watch.connected.get());
  fixture.refuseToConnect = false;
  fixture.clock.advance(discoveryBackoff.maxMs);
  t.is(fixture.streams.length, 2);
});

test("discovery opens nothing without a certificate, and opens with the first", (t) => {
  using fixture = new Fixture(null);
  fixture.clock.advance(60_000);
  t.is(fixture.streams.length, 0);
  fixture.svid.set(certificate("1"));
  t.is(fixture.streams.length, 1);
});

test("discovery lets a stream that has not spoken go for a newer certificate", (t) => {
  using fixture = new Fixture();
  const [first] = fixture.streams;
  fixture.svid.set(certificate("2"));
  t.false(first!.isOpen);
  first!.tell([policy("permissive"), suspensions, bundle], { synced: true });
  t.is(fixture.mode, undefined, "what it says now is not heard");
  t.deepEqual(first!.answers, []);
  fixture.last.tell([policy("strict"), suspensions, bundle], { synced: true });
  t.is(fixture.mode, "strict");
});

test("discovery stops for good", (t) => {
  using fixture = new Fixture();
  const first = fixture.last;
  first.tell([policy("strict"), suspensions, bundle], { synced: true });
  fixture.svid.set(certificate("2"));
  fixture.watch.stop();
  t.deepEqual(
    fixture.streams.map(({ isOpen }) => isOpen),
    [false, false],
  );
  t.is(fixture.closed, 2);
  t.is(fixture.clock.timerCount, 0);
  t.deepEqual(fixture.connected, [true, false]);
  first.tell([policy("permissive")]);
  first.end();
  fixture.svid.set(certificate("3"));
  t.is(fixture.mode, "strict");
  t.is(fixture.streams.length, 2);
  t.is(fixture.clock.timerCount, 0);
});

test("an update is acknowledged once it holds wherever it has to, and not before", (t) => {
  const waiting: (() => void)[] = [];
  using fixture = new Fixture(certificate("1"), (then) => waiting.push(then));
  fixture.last.tell([policy("strict")]);
  t.is(fixture.watch.snapshot.get().policy?.mode, "strict");
  t.deepEqual(fixture.last.answers, []);
  waiting.shift()?.();
  t.deepEqual(fixture.last.answers, ["ack 1"]);
});
