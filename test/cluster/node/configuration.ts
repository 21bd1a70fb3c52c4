// What the node's programs are told by files: containerd, its network plugins, kubelet, kube-proxy.
// Kubernetes reads JSON wherever it reads YAML.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pauseImageName } from "../build/images.ts";
import { containerdSocket, dnsAddress, isDualStack, logFolder, nodeName } from "../settings.ts";
import { podRange, podRange6, stateFolder } from "../settings.ts";
import { pkiFolder } from "./pki.ts";

const inState = (name: string): string => path.join(stateFolder, name);

export function writeConfiguration(): void {
  mkdirSync(logFolder, { recursive: true });
  mkdirSync(inState("cni.d"), { recursive: true });
  writeFileSync(inState("containerd.toml"), containerd());
  writeFileSync(inState("cni.d/10-signet-test.conflist"), JSON.stringify(network));
  writeFileSync(inState("kubelet.yaml"), JSON.stringify(kubelet()));
  writeFileSync(inState("kube-proxy.yaml"), JSON.stringify(kubeProxy()));
  // Pods ask the cluster's name server; it asks nobody.
  writeFileSync(inState("resolv.conf"), "");
}

/** restrict_oom_score_adj: root in a container may lack the right to lower it. */
function containerd(): string {
  const cri = `plugins."io.containerd.grpc.v1.cri"`;
  return `version = 2
root = "${inState("containerd")}"
state = "/run/containerd-state"
[grpc]
  address = "${containerdSocket}"
[debug]
  level = "warn"
[${cri}]
  sandbox_image = "${pauseImageName}"
  restrict_oom_score_adj = true
[${cri}.containerd]
  snapshotter = "overlayfs"
[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[${cri}.cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "${inState("cni.d")}"
`;
}

const podRanges = isDualStack ? [podRange, podRange6] : [podRange];

const network = {
  cniVersion: "1.0.0",
  name: "signet-test",
  plugins: [
    {
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      ipMasq: false,
      // Also spares IPv6 addresses the wait for a duplicate, which would cost each pod a second.
      hairpinMode: true,
      ipam: {
        type: "host-local",
        dataDir: "/run/cni-addresses",
        ranges: podRanges.map((subnet) => [{ subnet }]),
        routes: (isDualStack ? ["0.0.0.0/0", "::/0"] : ["0.0.0.0/0"]).map((dst) => ({ dst })),
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};

function kubelet(): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: path.join(pkiFolder, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: path.join(pkiFolder, "kubelet.crt"),
    tlsPrivateKeyFile: path.join(pkiFolder, "kubelet.key"),
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${nodeName}`,
    failSwapOn: false,
    // Machines with version 1 of control groups are still around.
    failCgroupV1: false,
    clusterDomain: "cluster.local",
    clusterDNS: [dnsAddress],
    resolvConf: inState("resolv.conf"),
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    volumePluginDir: inState("plugins"),
    // An image that was collected could not be pulled again.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: {
      "memory.available": "100Mi",
      "nodefs.available": "1%",
      "imagefs.available": "1%",
    },
    nodeStatusUpdateFrequency: "5s",
    syncFrequency: "10s",
    serializeImagePulls: false,
  };
}

/** Zeroes: leave the machine's connection tracking as it is. */
function kubeProxy(): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    clientConnection: { kubeconfig: path.join(pkiFolder, "kube-proxy.conf") },
    clusterCIDR: podRanges.join(","),
    healthzBindAddress: "127.0.0.1:10256",
    metricsBindAddress: "127.0.0.1:10249",
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
  };
}
