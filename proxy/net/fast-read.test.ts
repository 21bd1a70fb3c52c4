// Reads into the common buffer must be the reads of an ordinary socket: every byte, in order, whoever
// pauses, puts back or stops listening meanwhile.
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import test from "ava";
import type { ExecutionContext } from "ava";
import { createAuthority } from "#/test/kit/authority.ts";
import { parseSpiffeId, parseTrustDomain } from "#/identity/spiffe-id.ts";
import { makeCredentials } from "../tls/credentials.ts";
import { readFast, readsFast } from "#/lib/fast-read.ts";

interface Link {
  readonly near: Socket;
  readonly far: Socket;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function link(t: ExecutionContext, kind: "TCP" | "TLS"): Promise<Link> {
  const accepted = Promise.withResolvers<Socket>();
  let server: Server;
  if (kind === "TCP") server = createServer(accepted.resolve);
  else {
    const { material } = await credentials();
    server = createTlsServer(material, accepted.resolve);
  }
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const where = { host: "127.0.0.1", port: portOf(server) };
  const far = kind === "TCP" ? connect(where) : connectTls({ ...where, rejectUnauthorized: false });
  const near = await accepted.promise;
  t.teardown(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  for (const socket of [near, far]) socket.on("error", () => {});
  return { near, far };
}

async function credentials(): Promise<{ material: { key: string; cert: string } }> {
  const authority = await createAuthority();
  const svid = await authority.issue(parseSpiffeId("spiffe://cluster.local/ns/a/sa/a"));
  const bundle = { trustDomain: parseTrustDomain("cluster.local"), roots: [authority.root] };
  const { key, cert } = makeCredentials(svid, bundle).material;
  return { material: { key, cert } };
}

/** Bytes that differ wherever one looks. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE((at * 2_654_435_761) >>> 0, at);
  return bytes;
}

for (const kind of ["TCP", "TLS"] as const) {
  test(`${kind}: every byte comes, in order, however often the reader pauses`, async (t) => {
    const { near, far } = await link(t, kind);
    const sent = pattern(6_000_000);
    const pieces: Buffer[] = [];
    const ended = new Promise<void>((resolve) => near.on("end", resolve));
    let count = 0;
    near.on("data", (bytes: Buffer) => {
      pieces.push(bytes);
      count += 1;
      if (count % 3 !== 0) return;
      near.pause();
      if (count % 2 === 0) setImmediate(() => near.resume());
      else setTimeout(() => near.resume(), 2);
    });
    readFast(near);
    for (let at = 0; at < sent.length; at += 150_001) {
      far.write(sent.subarray(at, at + 150_001));
      await turn();
    }
    far.end();
    await ended;
    t.true(readsFast(near), "this Node has the fields that it takes");
    t.true(Buffer.concat(pieces).equals(sent));
  });

  test(`${kind}: what is put back while paused comes before what is read later`, async (t) => {
    const { near, far } = await link(t, kind);
    const heard: string[] = [];
    const said = async (wanted: string): Promise<void> => {
      while (heard.join("") !== wanted) await turn();
    };
    near.on("data", (bytes: Buffer) => heard.push(bytes.toString("latin1")));
    readFast(near);
    far.write("a");
    await said("a");
    far.write("b");
    await said("ab");
    t.true(readsFast(near));
    near.pause();
    far.write("d");
    for (let each = 0; each < 20; each += 1) await turn();
    t.is(heard.join(""), "ab");
    near.unshift(Buffer.from("c"));
    near.resume();
    await said("abcd");
  });

  test(`${kind}: bytes that come while nobody listens are kept`, async (t) => {
    const { near, far } = await link(t, kind);
    const first = new Promise<void>((resolve) => near.once("data", () => resolve()));
    readFast(near);
    far.write("a");
    await first;
    t.true(readsFast(near));
    near.pause();
    far.write("kept");
    for (let each = 0; each < 20; each += 1) await turn();
    const text = new Promise((resolve) => near.once("data", (b: Buffer) => resolve(b.toString())));
    near.resume();
    t.is(await text, "kept");
  });
}
