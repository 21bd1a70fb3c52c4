// Tests stand beside their sources. Root-only rings (network namespaces) are in test/netns. What needs
// Kubernetes, or others' libraries, runs by itself: test/cluster/ring.ts asks for it.
const cluster = ["test/cluster/ring/**/*.test.ts"];
const apiserver = ["test/apiserver/**/*.test.ts"];
const workload = ["test/workload/**/*.test.ts"];
const own = [...cluster, ...apiserver, ...workload].map((pattern) => `!${pattern}`);
const others = ["**/*.test.ts", ...own, "!node_modules/**", "!.state/**"];
const rings = { cluster, apiserver, workload };

export default {
  files: rings[process.env["SIGNET_TEST_RING"] ?? ""] ?? others,
  extensions: ["ts"],
  workerThreads: false,
  timeout: "120s",
};
