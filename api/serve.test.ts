import test from "ava";
import { connect as connectHttp2 } from "node:http2";
import type { IncomingHttpHeaders } from "node:http2";
import { gzipSync } from "node:zlib";
import type { Svid } from "#/identity/svid.ts";
import {
  answer,
  codeOf,
  connect,
  hello,
  jwtAnswer,
  request,
} from "#/test/kit/controller-server.ts";
import { start, until, update, workload } from "#/test/kit/controller-server.ts";
import type { Started } from "#/test/kit/controller-server.ts";
import { decodeUpdate, encodeSubscriberMessage } from "./convert.ts";
import type { SubscriberMessage, Update } from "./discovery.ts";
import { Discovery } from "./gen/discovery_pb.ts";
import { Identity } from "./gen/identity_pb.ts";
import { createByteClient } from "./grpc.ts";
import { issueJwtPath, issuePath, subscribePath } from "./paths.ts";
import { RpcError, opaqueAnswers } from "./rpc-error.ts";
import { issueMessageBytesMax, updateMessageBytesMax } from "./rpc.ts";
import type { ControllerConnection } from "./rpc.ts";
import { contextOptions } from "./tls-context.ts";

test("issue passes the request and the answer, with a token and no certificate", async (t) => {
  const seen: unknown[] = [];
  await using started = await start({
    issue: async (got, { peer }) => {
      seen.push(got, peer.identity, peer.address);
      return answer;
    },
  });
  const connection = connect(started, null);
  t.deepEqual(await connection.issue(request, 5000), answer);
  t.deepEqual(seen, [request, null, "127.0.0.1"]);
  connection.close();
});

test("subscribe carries hello, update and ack, and the identity that TLS proved", async (t) => {
  await using started = await start();
  const connection = connect(started, await started.authority.issue(workload));
  const got = await new Promise<Update>((resolve, reject) => {
    const subscription = connection.subscribe(hello, {
      onUpdate: (each) => {
        subscription.ack(each.sequence);
        subscription.nack(2, "no");
        resolve(each);
      },
      onEnd: reject,
    });
  });
  t.deepEqual(got, update);
  t.is(started.streams[0]?.identity, workload);
  await until(() => started.said.length === 3);
  t.deepEqual(started.said, ["hello", "ack", "nack"]);
  connection.close();
  await until(() => started.said.includes("end"));
});

test("issueJwt passes the request and the answer, with a token and no certificate", async (t) => {
  const seen: unknown[] = [];
  const jwtRequest = { token: "t", audiences: ["one", "two"] };
  await using started = await start({
    issueJwt: async (got, { peer }) => {
      seen.push(got, peer.identity, peer.address);
      return jwtAnswer;
    },
  });
  const connection = connect(started, null);
  t.deepEqual(await connection.issueJwt(jwtRequest, 5000), jwtAnswer);
  t.deepEqual(seen, [jwtRequest, null, "127.0.0.1"]);
  connection.close();
});

test("attack-55 every method but those of Identity refuses a caller without a certificate", async (t) => {
  await using started = await start();
  const services = [Identity, Discovery];
  const methods = services.flatMap(({ typeName, methods }) =>
    methods.map(({ name }) => `/${typeName}/${name}`),
  );
  const known = [issuePath, issueJwtPath, subscribePath];
  t.deepEqual(methods, known, "a new method needs a row here");
  const connection = connect(started, null);
  t.is((await subscribeEnd(connection)).code, "unauthenticated");
  t.deepEqual(started.streams, []);
  connection.close();
});

test("attack-11 a caller on loopback is trusted no more than any other", async (t) => {
  await using started = await start();
  const connection = connect(started, null);
  const error = await subscribeEnd(connection);
  t.is(error.code, "unauthenticated");
  t.is(
    error.message,
    'Cannot call "/signet.v1.Discovery/Subscribe": ' + opaqueAnswers.unauthenticated,
  );
  connection.close();
});

test("the reason of a refusal stays with the server", async (t) => {
  await using started = await start({
    issue: async () => {
      throw new RpcError("permission_denied", "Cannot issue: token is for secret-pod");
    },
  });
  const connection = connect(started, null);
  const error = await t.throwsAsync(connection.issue(request, 3000), { instanceOf: RpcError });
  t.is(error?.code, "permission_denied");
  t.notRegex(error?.message ?? "", /secret-pod/);
  connection.close();
});

test("issue ends with deadline_exceeded when the server does not answer", async (t) => {
  let signal: AbortSignal | null = null;
  await using started = await start({
    issue: (_request, caller) => {
      signal = caller.signal;
      return new Promise(() => {});
    },
  });
  const connection = connect(started, null);
  t.is(await codeOf(connection.issue(request, 2000)), "deadline_exceeded");
  await until(() => signal?.aborted === true);
  connection.close();
});

test("attack-24 a malformed message ends its own stream and nothing else", async (t) => {
  await using started = await start();
  const svid = await started.authority.issue(workload);
  const { bad, good, close } = rawClient(started, svid);
  const other = connect(started, svid);
  const open = new Promise<Update>((resolve) => {
    other.subscribe(hello, { onUpdate: resolve, onEnd() {} });
  });
  await open;
  for (const bytes of [Buffer.from("garbage!"), Buffer.from([0x0a, 0xff]), Buffer.alloc(0)]) {
    t.is(await bad(bytes), "invalid_argument");
  }
  t.deepEqual(await good(), update);
  close();
  other.close();
});

test("attack-52 a message above the limit is refused before it is buffered", async (t) => {
  await using started = await start();
  const connection = connect(started, null);
  const csr = new Uint8Array(issueMessageBytesMax + 1);
  t.is(await codeOf(connection.issue({ ...request, csr }, 3000)), "resource_exhausted");
  t.deepEqual(await connection.issue(request, 3000), answer);
  connection.close();
});

test("attack-52 a packed message is refused unopened: it could grow above the limit", async (t) => {
  await using started = await start();
  const bomb = gzipSync(Buffer.alloc(64 * 1_048_576));
  t.true(bomb.length < issueMessageBytesMax);
  const before = process.memoryUsage().arrayBuffers;
  t.is(await postRaw(started, issuePath, bomb), "12");
  t.true(process.memoryUsage().arrayBuffers - before < 32 * 1_048_576);
  const connection = connect(started, null);
  t.deepEqual(await connection.issue(request, 3000), answer);
  connection.close();
});

test("subscribe refuses an update that cannot be read by its sequence and goes on", async (t) => {
  const said: SubscriberMessage[] = [];
  await using started = await start({
    subscribe: (stream) => ({
      onMessage(message) {
        said.push(message);
        const bad = {
          kind: "cluster",
          name: "c",
          version: "1",
          cluster: {
            name: "c",
            protocol: "udp" as "tcp",
            endpoints: [],
          },
        } as const;
        if (message.kind === "hello") stream.send({ ...update, sequence: 9, upserts: [bad] });
        if (message.kind === "nack") stream.send({ ...update, sequence: 10 });
      },
      onEnd() {},
    }),
  });
  const connection = connect(started, await started.authority.issue(workload));
  const unreadable: string[] = [];
  const got = await new Promise<Update>((resolve, reject) => {
    connection.subscribe(hello, {
      onUpdate: resolve,
      onUnreadable: (error) => void unreadable.push(error.code),
      onEnd: reject,
    });
  });
  t.is(got.sequence, 10);
  t.deepEqual(unreadable, ["wire_invalid"]);
  t.like(said[1], { kind: "nack", sequence: 9 });
  connection.close();
});

const subscribeEnd = (connection: ControllerConnection): Promise<RpcError> =>
  new Promise((resolve, reject) => {
    connection.subscribe(hello, {
      onUpdate: () => reject(new Error("An update came")),
      onEnd: resolve,
    });
  });

/** A client below the typed one, to send what that one cannot. */
function rawClient(started: Started, svid: Svid) {
  const client = createByteClient({
    address: `127.0.0.1:${started.server.port}`,
    tls: contextOptions(svid, [started.authority.root]),
    checkServer: () => undefined,
    messageBytesMax: updateMessageBytesMax,
  });
  return {
    bad: (bytes: Buffer) =>
      new Promise<string>((resolve) => {
        const stream = client.duplex(subscribePath, {
          onMessage() {},
          onEnd: (error) => resolve(error.code),
        });
        stream.send(bytes);
      }),
    good: () =>
      new Promise<Update>((resolve) => {
        const stream = client.duplex(subscribePath, {
          onMessage: (bytes) => {
            resolve(decodeUpdate(bytes));
            stream.cancel();
          },
          onEnd() {},
        });
        stream.send(encodeSubscriberMessage({ kind: "hello", ...hello }));
      }),
    close: () => client.close(),
  };
}

/** One compressed gRPC message over plain HTTP/2; resolves with the status that answers it. */
async function postRaw(started: Started, path: string, body: Buffer): Promise<string> {
  const session = connectHttp2(`https://127.0.0.1:${started.server.port}`, {
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  });
  const head = Buffer.alloc(5);
  head[0] = 1;
  head.writeUInt32BE(body.length, 1);
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    "grpc-encoding": "gzip",
    te: "trailers",
  });
  const status = new Promise<string>((resolve, reject) => {
    const take = (headers: IncomingHttpHeaders): void => {
      if (headers["grpc-status"] !== undefined) resolve(String(headers["grpc-status"]));
    };
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("error", reject);
  });
  stream.end(Buffer.concat([head, body]));
  stream.resume();
  const answered = await status;
  session.destroy();
  return answered;
}
