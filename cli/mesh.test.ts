import test from "ava";
import { MeshAccessError, findPod, needNamespace, podName } from "./mesh.ts";
import type { Mesh, Pod } from "./mesh.ts";

function pod(namespace: string, name: string): Pod {
  const facts = { address: "10.77.1.1", serviceAccount: "x", phase: "Running", labels: {} };
  return { namespace, name, ...facts, isReady: true, isMeshed: true };
}

const pods = [
  pod("app-a", "app-a-1f-0"),
  pod("app-b", "app-b-v1-2f-0"),
  pod("app-b", "app-b-v2-3f-0"),
  pod("other", "app-b-v2"),
];

for (const [text, name] of [
  ["app-a/app-a-1f-0", "app-a/app-a-1f-0"],
  ["app-a/app-a", "app-a/app-a-1f-0"],
  ["app-a", "app-a/app-a-1f-0"],
  ["app-b-v1", "app-b/app-b-v1-2f-0"],
  ["app-b-v2", "other/app-b-v2"],
  ["app-b/app-b-v2", "app-b/app-b-v2-3f-0"],
] as const) {
  test(`findPod takes "${text}" for ${name}`, (t) => t.is(podName(findPod(pods, text)), name));
}

for (const [text, code] of [
  ["app-c", "not_found"],
  ["app-c/app-a", "not_found"],
  ["a/app-a-1f-0", "not_found"],
  ["app-b", "ambiguous"],
  ["app-b/", "ambiguous"],
  ["app-b/app-b", "ambiguous"],
] as const) {
  test(`findPod refuses "${text}" (${code}) and names what would do`, (t) => {
    const error = t.throws(() => findPod(pods, text), { instanceOf: MeshAccessError, code });
    t.regex(error?.next ?? "", /^Name one of app-/);
  });
}

test("findPod says how to start when nothing runs", (t) => {
  const error = t.throws(() => findPod([], "x"), { instanceOf: MeshAccessError });
  t.is(error?.next, "There are none: start the mesh first");
});

test("needNamespace names those there are", async (t) => {
  const objects = ["outside", "app-a"].map((name) => ({ metadata: { name } }));
  const mesh = { objects: async () => objects } as unknown as Mesh;
  await t.notThrowsAsync(needNamespace(mesh, "app-a", "list the certificates of"));
  const error = await t.throwsAsync(needNamespace(mesh, "nosuch", "list the certificates of"), {
    instanceOf: MeshAccessError,
    message: 'Cannot list the certificates of "nosuch": no such namespace',
  });
  t.is(error.next, "Name one of app-a, outside");
});
