// Who may import whom, and which package stands behind which wall. The table is the design;
// tools/tidy.test.ts holds the code against it.

export interface Layer {
  /** Other top folders (or single files of them) this one may import. Its own folder always. */
  readonly imports: readonly string[];
  /** Package -> the only files (prefixes) of this folder that may import it. */
  readonly packages: Readonly<Record<string, readonly string[]>>;
}

export const layers: Readonly<Record<string, Layer>> = {
  lib: {
    imports: [],
    packages: { pino: ["lib/log.ts"], zod: ["lib/config.ts"], yaml: ["lib/yaml.ts"] },
  },
  identity: { imports: ["lib"], packages: {} },
  transparency: { imports: ["lib"], packages: {} },
  api: {
    imports: ["lib", "identity"],
    packages: {
      "@grpc/grpc-js": ["api/grpc"],
      "@bufbuild/protobuf": ["api/gen/", "api/convert", "api/grpc"],
    },
  },
  cluster: {
    imports: ["lib"],
    packages: {
      zod: ["cluster/decode"],
      "@kubernetes/client-node": [
        "cluster/kubernetes/kubeconfig.ts",
        "cluster/kubernetes/pod-streams.ts",
      ],
    },
  },
  ca: {
    imports: ["lib", "identity", "api", "transparency"],
    packages: {
      "@peculiar/x509": ["ca/authority-certificate.ts"],
      "reflect-metadata": ["ca/authority-certificate.ts"],
      jose: ["ca/attest.ts", "ca/jwt-authority.ts"],
    },
  },
  proxy: { imports: ["lib", "identity", "transparency", "api"], packages: {} },
  "proxy-init": { imports: ["lib"], packages: {} },
  controller: {
    imports: ["lib", "identity", "transparency", "api", "cluster", "ca"],
    packages: {},
  },
  injector: { imports: ["lib", "identity", "transparency", "api", "cluster"], packages: {} },
  "certs-dev": {
    imports: ["lib", "identity", "ca"],
    packages: { "node-forge": ["certs-dev/pkcs12.ts"] },
  },
  local: {
    imports: [
      "lib",
      "identity",
      "api",
      "injector",
      "certs-dev/make.ts",
      "cluster/retry-annotation.ts",
    ],
    packages: {
      jose: ["local/pod/tokens.ts"],
      "dns-packet": ["local/cluster/dns"],
    },
  },
  cli: {
    // Of the injector what it decides with: `signet inject` must answer as the webhook does.
    imports: [
      "lib",
      "identity",
      "transparency",
      "api",
      "cluster",
      "local",
      "injector/annotations.ts",
      "injector/apply-patch.ts",
      "injector/config.ts",
      "injector/decide.ts",
      "injector/patch.ts",
      "injector/pod.ts",
    ],
    packages: { commander: ["cli/args.ts"] },
  },
  apps: { imports: ["lib"], packages: {} },
};

/** Folders that may import everything and that nothing else may import. */
export const outerFolders: readonly string[] = ["test", "bench", "tools"];

/** Packages of the outer folders and of tests beside sources. */
export const testPackages: readonly string[] = ["ava", "fast-check"];

/** Inside proxy/: the pure byte parts know only lib, and the two directions never meet. */
export const proxyLayers: Readonly<Record<string, readonly string[]>> = {
  detect: [],
  http1: [],
  http2: ["http1"],
  net: [],
  tls: ["net"],
  observe: [],
  inbound: ["detect", "http1", "net", "tls", "observe", "stream", "overload"],
  outbound: ["detect", "http1", "net", "tls", "observe", "stream", "overload"],
  stream: ["http1", "net", "observe"],
  overload: ["net", "observe", "stream"],
  workers: ["observe", "tls", "proxy/config.ts", "proxy/data-plane.ts"],
  control: ["observe", "proxy/config.ts"],
  workload: ["control", "net", "observe", "proxy/config.ts"],
  probe: [],
  hook: ["proxy/ports.ts"],
};

/** `new Date()`, timers and randomness are arguments; these files are where they come from. */
export const clockFiles: readonly string[] = ["lib/clock.ts"];

/** May read the environment: each process's entry, and the command line. */
export const environmentFiles: RegExp =
  /^(?:[a-z-]+\/main\.ts|proxy\/workers\/main\.ts|apps\/[a-z-]+\/main\.ts|cli\/.*|tools\/.*|bench\/.*|test\/.*|.*\.test\.ts)$/;

export const linesMax = 400;
