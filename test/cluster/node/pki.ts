// The cluster's keys: one CA, a certificate for each program, the key that signs ServiceAccount tokens,
// and a kubeconfig for whoever calls the API server. Everything is new with each cluster and goes with it.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { succeed } from "../command.ts";
import {
  apiPort,
  apiServiceAddress,
  kubeconfigFile,
  nodeAddress,
  nodeName,
  stateFolder,
} from "../settings.ts";

/** node.sh knows the files of this folder by name. */
export const pkiFolder: string = path.join(stateFolder, "pki");

interface Subject {
  readonly file: string;
  readonly subject: string;
  readonly alternativeNames?: string;
  /** Address of the API server in its kubeconfig; none when it needs none. */
  readonly server?: string;
}

const local = `https://127.0.0.1:${apiPort}`;
const apiNames = [
  ...["kubernetes", "kubernetes.default", "kubernetes.default.svc"].map((name) => `DNS:${name}`),
  "DNS:kubernetes.default.svc.cluster.local",
  ...["127.0.0.1", nodeAddress, apiServiceAddress].map((address) => `IP:${address}`),
];

const subjects: readonly Subject[] = [
  {
    file: "kube-apiserver",
    subject: "/CN=kube-apiserver",
    alternativeNames: apiNames.join(","),
  },
  { file: "kubelet-client", subject: "/O=system:masters/CN=kube-apiserver-kubelet-client" },
  { file: "front-proxy", subject: "/CN=front-proxy" },
  {
    file: "kubelet",
    subject: `/O=system:nodes/CN=system:node:${nodeName}`,
    alternativeNames: `DNS:${nodeName},IP:${nodeAddress},IP:127.0.0.1`,
    server: local,
  },
  ...["kube-controller-manager", "kube-scheduler", "kube-proxy"].map((name) => ({
    file: name,
    subject: `/CN=system:${name}`,
    server: local,
  })),
  {
    file: "admin",
    subject: "/O=system:masters/CN=admin",
    server: `https://${nodeAddress}:${apiPort}`,
  },
];

const days = "30";
const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];

export async function writePki(): Promise<void> {
  mkdirSync(pkiFolder, { recursive: true, mode: 0o700 });
  // Without a file of its own openssl adds extensions that the machine's configuration names.
  write("openssl.cnf", "[req]\ndistinguished_name = name\n[name]\n");
  const usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  const constraints = ["-addext", "basicConstraints=critical,CA:TRUE"];
  await certificate("ca", "/CN=signet-test-cluster", [...constraints, ...usage]);
  await Promise.all(subjects.map(issue));
  await openssl(["genrsa", "-out", "service-accounts.key", "2048"]);
  await openssl(["rsa", "-in", "service-accounts.key", "-pubout", "-out", "service-accounts.pub"]);
  for (const { file, server } of subjects) {
    if (server !== undefined) write(`${file}.conf`, kubeconfig(file, server));
  }
  writeFileSync(kubeconfigFile, readFileSync(path.join(pkiFolder, "admin.conf")), { mode: 0o600 });
}

async function issue({ file, subject, alternativeNames }: Subject): Promise<void> {
  const signer = ["-CA", "ca.crt", "-CAkey", "ca.key"];
  const constraints = ["-addext", "basicConstraints=critical,CA:FALSE"];
  const usage = ["-addext", "extendedKeyUsage=clientAuth,serverAuth"];
  const names =
    alternativeNames === undefined ? [] : ["-addext", `subjectAltName=${alternativeNames}`];
  await certificate(file, subject, [...signer, ...constraints, ...usage, ...names]);
}

async function certificate(file: string, subject: string, more: string[]): Promise<void> {
  const common = ["req", "-x509", "-config", "openssl.cnf", ...ecKey, "-days", days];
  const output = ["-keyout", `${file}.key`, "-out", `${file}.crt`];
  await openssl([...common, "-subj", subject, ...output, ...more]);
}

function kubeconfig(file: string, server: string): string {
  const data = (name: string): string => readFileSync(path.join(pkiFolder, name), "base64");
  const name = nodeName;
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [{ name, cluster: { server, "certificate-authority-data": data("ca.crt") } }],
    users: [
      {
        name,
        user: {
          "client-certificate-data": data(`${file}.crt`),
          "client-key-data": data(`${file}.key`),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
  });
}

function write(name: string, text: string): void {
  writeFileSync(path.join(pkiFolder, name), text, { mode: 0o600 });
}

async function openssl(parameters: readonly string[]): Promise<void> {
  await succeed("openssl", parameters, { folder: pkiFolder });
}
