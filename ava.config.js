// Tests stand beside their sources. Root-only rings (network namespaces) are in test/netns. What needs
// Kubernetes, or others' libraries, runs by itself: test/cluster/ring.ts asks for it.
const cluster = ["test/cluster/ring/**/*.test.ts"];
const apiserver = ["test/apiserver/**/*.test.ts"];
// Judged by programs that others wrote: test/conformance/main.ts gets them first.
const conformance = ["test/conformance/**/*.test.ts"];
const apart = [...cluster, ...apiserver, ...conformance];
const others = [
  "**/*.test.ts",
  ...apart.map((pattern) => `!${pattern}`),
  "!node_modules/**",
  "!.state/**",
];
const rings = { cluster, apiserver, conformance };

export default {
  files: rings[process.env["SIGNET_TEST_RING"] ?? ""] ?? others,
  extensions: ["ts"],
  workerThreads: false,
  timeout: "120s",
};
