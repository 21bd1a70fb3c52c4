import test from "ava";
import { newestByPod, readIssued } from "./issued.ts";
import { MeshAccessError } from "./mesh.ts";

const record = {
  index: 7,
  id: "spiffe://cluster.local/ns/app-a/sa/app-a",
  namespace: "app-a",
  pod: "app-a-1",
  issuedAt: 1000,
  notBefore: 0,
  notAfter: 901_000,
  serial: "0a0b",
  issuerSerial: "01",
  chain: ["AQI=", "AwQ="],
};

test("readIssued takes records apart, times as numbers or as text", (t) => {
  const [one] = readIssued({ certificates: [record] });
  t.is(one?.logIndex, 7);
  t.deepEqual(one?.chain, [new Uint8Array([1, 2]), new Uint8Array([3, 4])]);
  const [two] = readIssued([{ ...record, issuedAt: "1970-01-01T00:00:01.000Z" }]);
  t.is(two?.issuedAt, 1000);
});

test("readIssued takes a single certificate for a chain, and none", (t) => {
  const { chain: _chain, ...bare } = record;
  t.deepEqual(readIssued([{ ...bare, certificate: "AQI=" }])[0]?.chain, [new Uint8Array([1, 2])]);
  t.deepEqual(readIssued([bare])[0]?.chain, []);
});

for (const [what, answer] of [
  ["nothing", null],
  ["text", "certificates"],
  ["another object", { proxies: [] }],
  ["a list of numbers", [1]],
  ["a record without an identity", [{ ...record, id: undefined }]],
  ["a record whose serial is a number", [{ ...record, serial: 1 }]],
  ["a record without an end", [{ ...record, notAfter: "soon" }]],
  ["a chain of numbers", [{ ...record, chain: [1] }]],
] as const) {
  test(`readIssued refuses ${what}`, (t) => {
    const error = t.throws(() => readIssued(answer), { instanceOf: MeshAccessError });
    t.is(error?.code, "unreadable");
  });
}

test("newestByPod keeps one for each pod, the later one of two in the same instant", (t) => {
  const base = readIssued([record])[0]!;
  const all = [
    { ...base, pod: "b", logIndex: 1 },
    { ...base, pod: "a", logIndex: 2, issuedAt: 5 },
    { ...base, pod: "a", logIndex: 4, issuedAt: 9 },
    { ...base, pod: "a", logIndex: 3, issuedAt: 9 },
  ];
  t.deepEqual(
    newestByPod(all).map(({ pod, logIndex }) => [pod, logIndex]),
    [
      ["a", 4],
      ["b", 1],
    ],
  );
});
