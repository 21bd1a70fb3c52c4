import test from "ava";
import type { WorldEvent } from "./events.ts";
import { Relist } from "./relist.ts";

const namespace = (name: string): object => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name },
});
const added = (name: string): object => ({ type: "ADDED", object: namespace(name) });
const synced = { type: "SYNCED" };

const say = (event: WorldEvent): string => {
  switch (event.type) {
    case "applied":
      return `+${event.object.meta.name}`;
    case "deleted":
      return `-${event.key}`;
    default:
      return event.type;
  }
};

function feed(relist: Relist, ...lines: readonly object[]): readonly string[] {
  return lines.flatMap((line) => relist.line(line)).map(say);
}

test("Relist passes a first list on", (t) => {
  const relist = new Relist();
  relist.begin();
  t.deepEqual(feed(relist, added("a"), added("b"), synced), ["+a", "+b", "synced"]);
});

test("Relist reports what a new list does not name as deleted, and only once it is complete", (t) => {
  const relist = new Relist();
  relist.begin();
  feed(relist, added("a"), added("b"), synced);
  relist.begin();
  t.deepEqual(feed(relist, added("b")), ["+b"]);
  t.deepEqual(feed(relist, synced), ["-a", "synced"]);
});

test("Relist deletes nothing when a list breaks off before it is complete", (t) => {
  const relist = new Relist();
  relist.begin();
  feed(relist, added("a"), added("b"), synced);
  relist.begin();
  feed(relist, added("b"));
  relist.begin();
  t.deepEqual(feed(relist, added("a"), added("b"), synced), ["+a", "+b", "synced"]);
});

test("Relist deletes nothing when a line of the list could not be read", (t) => {
  const relist = new Relist();
  relist.begin();
  feed(relist, added("a"), synced);
  relist.begin();
  t.deepEqual(relist.unreadable("cut").map(say), ["invalid"]);
  t.deepEqual(feed(relist, synced), ["synced"]);
});

test("Relist keeps an object that is listed and cannot be read", (t) => {
  const good = {
    apiVersion: "signet.dev/v1alpha1",
    kind: "PeerAuthentication",
    metadata: { name: "p", namespace: "n" },
    spec: { mtls: { mode: "STRICT" } },
  };
  const bad = { ...good, spec: { mtls: { mode: "NONE" } } };
  const relist = new Relist();
  relist.begin();
  feed(relist, { type: "ADDED", object: good }, synced);
  relist.begin();
  t.deepEqual(feed(relist, { type: "ADDED", object: bad }, synced), ["invalid", "synced"]);
});

const badPolicy = {
  apiVersion: "signet.dev/v1alpha1",
  kind: "PeerAuthentication",
  metadata: { name: "p", namespace: "n" },
  spec: { mtls: { mode: "NONE" } },
};

test("Relist tells that an object is gone which could never be read", (t) => {
  const relist = new Relist();
  relist.begin();
  const listed = { type: "ADDED", object: badPolicy };
  t.deepEqual(feed(relist, listed, synced), ["invalid", "synced"]);
  t.deepEqual(feed(relist, { type: "DELETED", object: badPolicy }), ["-n/p"]);
  relist.begin();
  feed(relist, listed, synced);
  relist.begin();
  t.deepEqual(feed(relist, synced), ["-n/p", "synced"]);
});

test("Relist reports a deletion once, and none of what it never knew", (t) => {
  const relist = new Relist();
  relist.begin();
  feed(relist, added("a"), synced);
  const gone = { type: "DELETED", object: namespace("a") };
  t.deepEqual(feed(relist, gone, gone), ["-a"]);
});

test("Relist ignores kinds that are none of the mesh's", (t) => {
  const relist = new Relist();
  relist.begin();
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n" } };
  t.deepEqual(feed(relist, { type: "ADDED", object: node }, synced), ["synced"]);
});

test("attack-25 Relist refuses more objects than the limit, until one goes", (t) => {
  const relist = new Relist(1);
  relist.begin();
  t.deepEqual(feed(relist, added("a"), added("a"), added("b")), ["+a", "+a", "invalid"]);
  const gone = { type: "DELETED", object: namespace("a") };
  t.deepEqual(feed(relist, gone, added("b")), ["-a", "+b"]);
});

test("attack-25 Relist takes an object nested 300,000 deep for a faulty one, soon", (t) => {
  const deep = `{"a":${"[".repeat(300_000)}${"]".repeat(300_000)}}`;
  const text = (metadata: string, spec: string): string =>
    `{"type":"ADDED","object":{"apiVersion":"v1","kind":"Pod","metadata":${metadata},"spec":${spec}}}`;
  const relist = new Relist();
  relist.begin();
  const began = performance.now();
  for (const line of [text(deep, "{}"), text(`{"name":"a","labels":${deep}}`, "{}"), deep]) {
    t.deepEqual(relist.line(JSON.parse(line)).map(say), ["invalid"]);
  }
  t.true(performance.now() - began < 3000);
  t.deepEqual(feed(relist, added("a")), ["+a"]);
});

for (const line of [
  null,
  1,
  [],
  {},
  { type: "BOOKMARK" },
  { type: "ADDED" },
  { type: "DELETED" },
]) {
  test(`Relist takes ${JSON.stringify(line)} for an unreadable line`, (t) => {
    const relist = new Relist();
    relist.begin();
    t.deepEqual(relist.line(line).map(say), ["invalid"]);
  });
}
