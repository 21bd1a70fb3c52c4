// Tests stand beside their sources. Root-only rings (network namespaces) are in test/netns. What needs
// Kubernetes, or others' libraries, runs by itself: test/cluster/ring.ts asks for it.
const cluster = ["test/cluster/ring/**/*.test.ts"];
const apiserver = ["test/apiserver/**/*.test.ts"];
// Judges that are Go programs: test/conformance/main.ts builds them first.
const conformance = ["test/conformance/**/*.test.ts"];
const workload = ["test/workload/**/*.test.ts"];
const apart = [...cluster, ...apiserver, ...conformance, ...workload];
const others = [
  "**/*.test.ts",
  ...apart.map((pattern) => `!${pattern}`),
  "!node_modules/**",
  "!.state/**",
];
const rings = { cluster, apiserver, conformance, workload };

export default {
  files: rings[process.env["SIGNET_TEST_RING"] ?? ""] ?? others,
  extensions: ["ts"],
  workerThreads: false,
  timeout: "120s",
};
