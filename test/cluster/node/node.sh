#!/bin/bash
# The first process of the node: PID 1 of namespaces of its own (PID, mount, network, UTS, IPC). When it
# ends the kernel ends every process of the cluster, pods included, and takes mounts and network along.
# All it is told comes in NODE_* variables (node-process.ts). Each program is started again when it dies, so that
# a test may kill one.
set -u
state=$NODE_STATE log=$NODE_STATE/log pki=$NODE_STATE/pki
# Empty where the kernel has one family only.
address6=${NODE_ADDRESS6:-}
export PATH=$NODE_PROGRAMS:/usr/sbin:/usr/bin:/sbin:/bin

prepare_mounts() {
  mount --make-rprivate /
  # A /sys that shows this network; the control groups are the machine's.
  mkdir -p "$state/cgroup"
  mount --rbind /sys/fs/cgroup "$state/cgroup"
  mount -t sysfs sysfs /sys
  mount --rbind "$state/cgroup" /sys/fs/cgroup
  umount -l "$state/cgroup"
  mount -t tmpfs tmpfs /run
  mkdir -p /run/netns /run/lock
  # Where kubelet and CNI write by fixed names.
  mkdir -p "$state"/{etcd,pod-logs,cni-state,plugins,kubelet} /var/lib/cni
  mount --bind "$state/pod-logs" /var/log
  mount --bind "$state/cni-state" /var/lib/cni
  # Nobody needs its data afterwards, and nothing waits for a disk.
  mount -t tmpfs -o size=1g tmpfs "$state/etcd"
  mount --make-rshared /
}

prepare_network() {
  hostname "$NODE_NAME"
  ip link set lo up
  sysctl -qw net.ipv4.ip_forward=1
  sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null
  until ip link show dev "$NODE_DEVICE" >/dev/null 2>&1; do sleep 0.05; done
  ip addr add "$NODE_ADDRESS/$NODE_LINK_PREFIX" dev "$NODE_DEVICE"
  ip link set "$NODE_DEVICE" up
  # kubelet and kube-proxy want a default route; the host forwards nothing, so pods have no way out.
  ip route add default via "$NODE_HOST_ADDRESS"
  ip link add cni0 type bridge
  ip addr add "$NODE_POD_GATEWAY/24" dev cni0
  ip link set cni0 up
  # A service address without endpoints ends on the bridge instead of leaving.
  ip route add "$NODE_SERVICE_RANGE" dev cni0
  if [ -n "$address6" ]; then prepare_network6; fi
}

# The same of the second family. nodad: an address is there at once, and nobody else could have it.
prepare_network6() {
  sysctl -qw net.ipv6.conf.all.forwarding=1
  ip addr add "$address6/$NODE_LINK_PREFIX6" dev "$NODE_DEVICE" nodad
  # Nobody is there: kubelet and kube-proxy want a default route.
  ip -6 route add default dev "$NODE_DEVICE"
  ip addr add "$NODE_POD_GATEWAY6/64" dev cni0 nodad
  ip -6 route add "$NODE_SERVICE_RANGE6" dev cni0
}

# keep NAME PROGRAM ARGUMENTS...: runs it, again and again; its PID in this namespace is in NAME.pid.
keep() {
  local name=$1
  shift
  while :; do
    "$@" >>"$log/$name.log" 2>&1 &
    echo $! >"$state/$name.pid"
    wait $!
    echo "-- ended with $?, starting it again" >>"$log/$name.log"
    sleep 0.5
  done &
}

start_storage() {
  local client=http://127.0.0.1:2379 peer=http://127.0.0.1:2380
  keep etcd etcd --name node --data-dir "$state/etcd/data" \
    --listen-client-urls $client --advertise-client-urls $client \
    --listen-peer-urls $peer --initial-advertise-peer-urls $peer --initial-cluster node=$peer \
    --log-level warn --logger zap --unsafe-no-fsync
  keep containerd containerd --config "$state/containerd.toml"
}

start_api_server() {
  keep kube-apiserver kube-apiserver \
    --etcd-servers=http://127.0.0.1:2379 \
    --advertise-address="$NODE_ADDRESS" --secure-port="$NODE_API_PORT" \
    --service-cluster-ip-range="$NODE_SERVICE_RANGE${address6:+,$NODE_SERVICE_RANGE6}" \
    --client-ca-file="$pki/ca.crt" \
    --tls-cert-file="$pki/kube-apiserver.crt" --tls-private-key-file="$pki/kube-apiserver.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$pki/service-accounts.pub" \
    --service-account-signing-key-file="$pki/service-accounts.key" \
    --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --allow-privileged=true
  until curl -sf --cacert "$pki/ca.crt" "https://127.0.0.1:$NODE_API_PORT/readyz" >/dev/null; do
    sleep 0.1
  done
}

start_the_rest() {
  keep kube-controller-manager kube-controller-manager \
    --kubeconfig="$pki/kube-controller-manager.conf" \
    --authentication-kubeconfig="$pki/kube-controller-manager.conf" \
    --authorization-kubeconfig="$pki/kube-controller-manager.conf" \
    --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/service-accounts.key" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
    --use-service-account-credentials --leader-elect=false --bind-address=127.0.0.1
  keep kube-scheduler kube-scheduler --kubeconfig="$pki/kube-scheduler.conf" \
    --authentication-kubeconfig="$pki/kube-scheduler.conf" \
    --authorization-kubeconfig="$pki/kube-scheduler.conf" \
    --leader-elect=false --bind-address=127.0.0.1
  keep kubelet kubelet --config="$state/kubelet.yaml" --kubeconfig="$pki/kubelet.conf" \
    --hostname-override="$NODE_NAME" --node-ip="$NODE_ADDRESS${address6:+,$address6}" --root-dir="$state/kubelet"
  keep kube-proxy kube-proxy --config="$state/kube-proxy.yaml" --hostname-override="$NODE_NAME"
}

prepare_mounts
prepare_network
start_storage
start_api_server
start_the_rest
trap 'exit 0' TERM INT
while :; do
  sleep 3600 &
  wait $!
done
