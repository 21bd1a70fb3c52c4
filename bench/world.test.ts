import test from "ava";
import { injectorDefaults } from "#/injector/config.ts";
import { clientPod, serverPod, sidecarEnvironment, worldObjects } from "./world.ts";

const config = { ...injectorDefaults, rootFingerprints: ["ab".repeat(32)] };

test("worldObjects gives each object a name of its own", (t) => {
  const names = worldObjects(config).map(
    ({ kind, metadata }) => `${kind} ${String(metadata["namespace"])}/${String(metadata["name"])}`,
  );
  t.is(new Set(names).size, names.length);
});

test("worldObjects injects the two pods of the mesh and leaves the others alone", (t) => {
  const pods = worldObjects(config).filter(({ kind }) => kind === "Pod");
  const marked = pods
    .filter(({ metadata }) => JSON.stringify(metadata).includes('"signet.dev/status":"injected"'))
    .map(({ metadata }) => metadata["name"]);
  t.deepEqual(marked, [clientPod.name, serverPod.name]);
  t.is(pods.length, 4);
});

test("worldObjects can be sent as lines", (t) => {
  for (const object of worldObjects(config)) t.false(JSON.stringify(object).includes("\n"));
});

test("sidecarEnvironment fills in what kubelet would", (t) => {
  const environment = sidecarEnvironment(serverPod, config);
  t.is(environment["POD_IP"], "10.203.0.2");
  t.is(environment["POD_NAMESPACE"], "app-b");
  t.is(environment["SERVICE_ACCOUNT"], "app-b");
  t.is(environment["SIGNET_ROOT_FINGERPRINTS"], "ab".repeat(32));
});
