import test from "ava";
import { ManualClock } from "#/test/kit/manual-clock.ts";
import type { ApiRequest, KubernetesClient, StreamHandlers } from "./client.ts";
import type { KubernetesErrorCode } from "./kubernetes-error.ts";
import { KubernetesError } from "./kubernetes-error.ts";
import { reflect } from "./reflector.ts";

const failure = (code: KubernetesErrorCode): KubernetesError => new KubernetesError(code, code);
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Stream {
  readonly version: string;
  readonly handlers: StreamHandlers;
  end(): void;
  fail(error: Error): void;
}

/** Stands in for an API server whose answers a test gives one by one. */
class Lab implements AsyncDisposable {
  readonly said: string[] = [];
  readonly lists: ApiRequest[] = [];
  readonly streams: Stream[] = [];
  readonly clock = new ManualClock(0);
  answer: (request: ApiRequest) => unknown;
  readonly #reflector: AsyncDisposable;

  constructor(answer: (request: ApiRequest) => unknown = () => list()) {
    this.answer = answer;
    const client: KubernetesClient = {
      call: async (request) => {
        this.lists.push(request);
        return this.answer(request);
      },
      stream: (request, handlers) =>
        new Promise((resolve, reject) => {
          const fail = (error: Error): void => reject(error);
          request.signal?.addEventListener("abort", () => fail(failure("unavailable")));
          const version = request.query?.["resourceVersion"] ?? "";
          this.streams.push({ version, handlers, end: resolve, fail });
        }),
      close() {},
    };
    this.#reflector = reflect({
      client,
      clock: this.clock,
      random: () => 0.5,
      path: "/api/v1/things",
      onChange: ({ type, key }) => void this.said.push(`${type} ${key}`),
      onState: ({ kind }) => void this.said.push(kind),
    });
  }

  get stream(): Stream {
    const last = this.streams.at(-1);
    if (last === undefined) throw new Error("nothing streams");
    return last;
  }

  say(line: object): void {
    try {
      this.stream.handlers.onLine(JSON.stringify(line));
    } catch (thrown) {
      this.stream.fail(thrown as Error);
    }
  }

  async pass(milliseconds: number): Promise<void> {
    await settled();
    this.clock.advance(milliseconds);
    await settled();
  }

  take(): string[] {
    return this.said.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reflector[Symbol.asyncDispose]();
  }
}

const thing = (name: string, version: number): object => ({
  metadata: { name, resourceVersion: String(version) },
});
const list = (version = 5, ...items: readonly object[]): object => ({
  metadata: { resourceVersion: String(version) },
  items,
});

test("reflect lists, then watches from the list's version with bookmarks and an end", async (t) => {
  await using lab = new Lab(() => list(5, thing("a", 1)));
  await settled();
  t.deepEqual(lab.take(), ["applied a", "standing"]);
  t.is(lab.stream.version, "5");
  t.deepEqual(lab.lists[0]?.query, { limit: "500" });
});

test("reflect reads page after page", async (t) => {
  await using lab = new Lab(({ query }) =>
    query?.["continue"] === "more"
      ? list(5, thing("b", 2))
      : { metadata: { resourceVersion: "5", continue: "more" }, items: [thing("a", 1)] },
  );
  await settled();
  t.deepEqual(lab.take(), ["applied a", "applied b", "standing"]);
});

test("reflect goes on from the last version after a stream's ordinary end, at once", async (t) => {
  await using lab = new Lab();
  await settled();
  lab.stream.handlers.onOpen();
  lab.say({ type: "BOOKMARK", object: { metadata: { resourceVersion: "60" } } });
  await lab.pass(300_000);
  lab.stream.end();
  await settled();
  t.is(lab.streams.length, 2);
  t.is(lab.stream.version, "60");
  t.is(lab.lists.length, 1);
  t.deepEqual(lab.take(), ["standing"]);
});

test("reflect does not spin when streams end as soon as they begin", async (t) => {
  await using lab = new Lab();
  await settled();
  for (let index = 0; index < 5; index += 1) {
    lab.stream.handlers.onOpen();
    lab.stream.end();
    await settled();
    t.is(lab.streams.length, index + 1);
    await lab.pass(5_000);
  }
  t.is(lab.lists.length, 1);
  t.deepEqual(lab.take(), ["standing"]);
});

test("reflect says once that the server is away, waits longer each time, and goes on", async (t) => {
  await using lab = new Lab();
  await settled();
  lab.stream.handlers.onOpen();
  await lab.pass(10_000);
  const waits: number[] = [];
  for (let index = 0; index < 8; index += 1) {
    const before = lab.streams.length;
    lab.stream.fail(failure("unavailable"));
    await settled();
    let waited = 0;
    while (lab.streams.length === before) {
      await lab.pass(50);
      waited += 50;
    }
    waits.push(waited);
  }
  t.deepEqual(waits.slice(-2), [3_750, 3_750]);
  t.true((waits[0] ?? 0) <= 200);
  t.is(lab.lists.length, 1, "nothing is listed anew");
  lab.stream.handlers.onOpen();
  t.deepEqual(lab.take(), ["standing", "lost", "standing"]);
});

test("reflect lists anew for an expired version, and does not call that a loss", async (t) => {
  await using lab = new Lab(() => list(5, thing("a", 1), thing("b", 2)));
  await settled();
  lab.take();
  lab.stream.handlers.onOpen();
  lab.answer = () => list(90, thing("a", 1), thing("c", 80));
  lab.say({ type: "ERROR", object: { code: 410 } });
  await lab.pass(5_000);
  t.deepEqual(lab.take(), ["applied c", "deleted b"]);
  t.is(lab.stream.version, "90");
  lab.stream.fail(failure("expired"));
  await lab.pass(5_000);
  t.is(lab.lists.length, 3, "also when it is the answer itself");
});

test("reflect lists anew after a line that it cannot read", async (t) => {
  await using lab = new Lab();
  await settled();
  lab.say({ type: "ADDED", object: {} });
  await lab.pass(5_000);
  t.is(lab.lists.length, 2);
  t.deepEqual(lab.take(), ["standing", "lost", "standing"]);
});

test("reflect keeps everything while it is not allowed to look", async (t) => {
  await using lab = new Lab(() => list(5, thing("a", 1)));
  await settled();
  lab.stream.fail(failure("denied"));
  await lab.pass(5_000);
  t.deepEqual(lab.take(), ["applied a", "standing", "lost"]);
});

test("reflect takes a kind that is not installed for an empty one, and finds it later", async (t) => {
  await using lab = new Lab(() => {
    throw failure("not_found");
  });
  await settled();
  t.deepEqual(lab.take(), ["standing"]);
  await lab.pass(9_999);
  t.is(lab.lists.length, 1);
  lab.answer = () => list(5, thing("a", 1));
  await lab.pass(1);
  t.deepEqual(lab.take(), ["applied a"]);
});

test("reflect lets known objects go with their kind only when it is missing again and again", async (t) => {
  await using lab = new Lab(() => list(5, thing("a", 1)));
  await settled();
  lab.take();
  lab.answer = () => {
    throw failure("not_found");
  };
  lab.stream.fail(failure("not_found"));
  await lab.pass(10_000);
  t.deepEqual(lab.take(), ["lost"], "twice may be a server that starts");
  await lab.pass(10_000);
  t.deepEqual(lab.take(), ["deleted a", "standing"]);
});

test("reflect tells nothing after it was disposed of, and leaves no timer", async (t) => {
  const lab = new Lab();
  await settled();
  lab.take();
  await lab[Symbol.asyncDispose]();
  t.deepEqual(lab.take(), []);
  t.is(lab.clock.timerCount, 0);
});
