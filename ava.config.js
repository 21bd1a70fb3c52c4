// Tests stand beside their sources. Root-only rings (network namespaces) are in test/netns. What needs
// Kubernetes runs by itself: test/cluster/ring.ts asks for it.
const cluster = ["test/cluster/ring/**/*.test.ts"];
const apiserver = ["test/apiserver/**/*.test.ts"];
// Judges that are Go programs: test/conformance/main.ts builds them first.
const conformance = ["test/conformance/**/*.test.ts"];
const own = [...cluster, ...apiserver, ...conformance].map((pattern) => `!${pattern}`);
const others = ["**/*.test.ts", ...own, "!node_modules/**", "!.state/**"];
const rings = { cluster, apiserver, conformance };

export default {
  files: rings[process.env["SIGNET_TEST_RING"] ?? ""] ?? others,
  extensions: ["ts"],
  workerThreads: false,
  timeout: "120s",
};
