// install, inject and uninstall as the command tree has them: words, options and what their help teaches.
import type { Command, Option } from "../command.ts";

const imageOptions: readonly Option[] = [
  {
    long: "--registry",
    summary: "where the mesh's images are, as ghcr.io/acme/signet (default: signet)",
    value: { name: "PREFIX", kind: "text" },
  },
  {
    long: "--tag",
    summary: "of every image of the mesh (default: none, which is latest)",
    value: { name: "TAG", kind: "text" },
  },
];

const trustDomain: Option = {
  long: "--trust-domain",
  summary: "the first part of every identity (default: cluster.local)",
  value: { name: "DOMAIN", kind: "text" },
};

export const install: Command = {
  name: "install",
  summary: "Print the manifests that install the mesh, for kubectl",
  details:
    "Asks no cluster and changes none: kubectl applies what is printed, plainly or --server-side,\n" +
    "as often as you like. It holds no secret: the first controller makes the mesh's root and keeps\n" +
    "it in the Secret signet-ca. Afterwards choose who gets sidecars, one namespace at a time:\n" +
    "kubectl label namespace NAME signet.dev/inject=enabled; pods get them when they are made.",
  options: [
    ...imageOptions,
    {
      long: "--image-pull-secret",
      summary:
        "a Secret of signet-system to pull them with; namespaces with sidecars need their own",
      value: { name: "SECRET", kind: "text" },
    },
    {
      long: "--replicas",
      summary: "of the controller, and of the injector: 1 to 9 (default: 2)",
      value: { name: "COUNT", kind: "text" },
    },
    {
      long: "--storage",
      summary: "storage class of the controllers' ledgers (default: the cluster's own default)",
      value: { name: "CLASS", kind: "text" },
      excludes: "--no-storage",
    },
    {
      long: "--storage-size",
      summary: "of each ledger's volume (default: 1Gi)",
      value: { name: "SIZE", kind: "text" },
      excludes: "--no-storage",
    },
    {
      long: "--no-storage",
      summary: "for clusters without a storage class: a ledger is lost with its controller's pod",
    },
    {
      long: "--wrapping-key",
      summary:
        "a Secret of signet-system that you made: under its entry `key` root and intermediate are wrapped",
      value: { name: "SECRET", kind: "text" },
    },
    trustDomain,
    {
      long: "--bundle-port",
      summary: "serve the trust bundle to other trust domains there, as Service signet-bundle",
      value: { name: "PORT", kind: "text" },
    },
    {
      long: "--svid-lifetime",
      summary: "how long certificates live, 30s to 24h (default: 15m)",
      value: { name: "TIME", kind: "text" },
    },
  ],
  examples: [
    { command: "signet install | kubectl apply -f -", shows: "the mesh, in the current context" },
    {
      command: "kubectl label namespace app-b signet.dev/inject=enabled",
      shows: "its pods get sidecars from now on (kubectl rollout restart for those that run)",
    },
    {
      command: "signet install --registry ghcr.io/acme/signet --tag v0.1.0 | kubectl apply -f -",
      shows: "images of your own registry",
    },
    {
      command: "signet install --replicas 1 --no-storage | kubectl apply -f -",
      shows: "a small cluster, to try it; storage cannot be changed in place later",
    },
    {
      command:
        'kubectl -n signet-system create secret generic wrap --from-literal=key="$(openssl rand -hex 32)"',
      shows: "a key to wrap keys under; keep a copy, without it nobody opens them again",
    },
    {
      command: "signet install --wrapping-key wrap | kubectl apply -f -",
      shows: "keys at rest are wrapped under it, those that are there already, too",
    },
    {
      command: "signet install --bundle-port 8445 | kubectl apply -f -",
      shows: "Service signet-bundle, to expose for federation; TLS has to pass through",
    },
    { command: "signet install | kubectl diff -f -", shows: "what an upgrade would change" },
  ],
};

export const inject: Command = {
  name: "inject",
  summary: "Put the sidecar into manifests yourself: standard input to standard output",
  details:
    "For pods whose manifests shall show all that runs, or namespaces without the label. Does what\n" +
    "the webhook does, by the same rules: Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job,\n" +
    "CronJob and List; every other document comes out as it went in. What the webhook would refuse\n" +
    "is told on standard error, and then nothing is printed. Twice is as good as once.\n" +
    "Images, settings and roots are those of the mesh on the cluster, or with --bundle those of the\n" +
    "options. Keep the manifests without sidecars: after an upgrade of the mesh inject them anew.",
  arguments: [
    {
      name: "files",
      summary: "manifests; - or nothing for standard input",
      kind: "file",
      variadic: true,
      isOptional: true,
    },
  ],
  options: [
    {
      long: "--bundle",
      summary: "PEM file of the mesh's roots: no cluster is asked",
      value: { name: "FILE", kind: "file" },
    },
    ...imageOptions,
    trustDomain,
  ],
  examples: [
    { command: "signet inject app.yaml | kubectl apply -f -", shows: "a file, with its sidecars" },
    {
      command: "kubectl get deployment web -o yaml | signet inject | kubectl apply -f -",
      shows: "what runs already",
    },
  ],
};

export const uninstall: Command = {
  name: "uninstall",
  summary: "Remove the mesh from the cluster and leave nothing of it",
  details:
    "Webhooks first, so that pods can be made whatever happens; then injector and controllers, the\n" +
    "trust bundles of every namespace, the custom resources with their objects, the cluster roles,\n" +
    "and the namespace signet-system with the root key and the ledgers. None of it comes back: a\n" +
    "next install makes another root. Refuses while pods with a sidecar run: nobody would renew\n" +
    "their certificates any more. Labels of your namespaces are yours and stay.",
  options: [
    { long: "--dry-run", summary: "only say what would be removed" },
    { long: "--yes", short: "-y", summary: "do not ask" },
    {
      long: "--force",
      summary: "although pods with a sidecar run, which then stop within minutes",
    },
    {
      long: "--timeout",
      summary: "how long to wait until all is gone, as 90s or 5m",
      value: { name: "TIME", kind: "text" },
      byDefault: "5m",
    },
  ],
  examples: [
    { command: "signet uninstall --dry-run", shows: "what is there, and what stands in the way" },
    { command: "signet uninstall --yes", shows: "in scripts; exits with 0 when nothing is there" },
  ],
};
