// Tests stand beside their sources. Root-only rings (network namespaces) are in test/netns.
export default {
  files: ["**/*.test.ts", "!node_modules/**", "!.state/**"],
  extensions: ["ts"],
  workerThreads: false,
  timeout: "120s",
};
