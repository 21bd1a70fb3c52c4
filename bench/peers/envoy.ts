// Envoy as a sidecar: static bootstrap, one worker, access log to a file, identities checked. Pure.
import { identities, layout, portsOf } from "../layout.ts";
import type { Between, PeerFolder, PeerPlan, Role } from "./peer.ts";

const extensions = "type.googleapis.com/envoy.extensions.";

/** Far above the bench's connections, so that no circuit breaker takes part. */
const breakerMax = 10_000;

export function envoyPlan(
  binary: string,
  folder: PeerFolder,
  role: Role,
  between: Between,
): PeerPlan {
  const accessLog = `${folder.path}/${role}.log`;
  const name = `${role}.json`;
  const bootstrap = {
    static_resources: {
      listeners: [listener(folder, role, between, accessLog)],
      clusters: [cluster(folder, role, between)],
    },
  };
  return {
    files: [{ name, text: `${JSON.stringify(bootstrap, null, 1)}\n` }],
    command: binary,
    parameters: [
      "-c",
      `${folder.path}/${name}`,
      ..."--concurrency 1 --disable-hot-restart --log-level warn".split(" "),
    ],
    accessLog,
  };
}

function listener(folder: PeerFolder, role: Role, between: Between, accessLog: string): object {
  const port = role === "in" ? layout.inboundPort : layout.outboundPort;
  const filter =
    between === "tcp"
      ? { name: "envoy.filters.network.tcp_proxy", typed_config: tcpProxy(role, accessLog) }
      : {
          name: "envoy.filters.network.http_connection_manager",
          typed_config: connectionManager(role, between, accessLog),
        };
  const chain = {
    filters: [filter],
    ...(role === "in" ? { transport_socket: serverTls(folder, between) } : {}),
  };
  return { name: role, address: socketAddress("0.0.0.0", port), filter_chains: [chain] };
}

function connectionManager(role: Role, between: Between, accessLog: string): object {
  return {
    "@type": `${extensions}filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: role,
    codec_type: role === "in" && between === "http2" ? "HTTP2" : "HTTP1",
    access_log: accessLogs(accessLog),
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${extensions}filters.http.router.v3.Router` },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "next", timeout: "15s" } }],
        },
      ],
    },
  };
}

function tcpProxy(role: Role, accessLog: string): object {
  return {
    "@type": `${extensions}filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: role,
    cluster: "next",
    access_log: accessLogs(accessLog),
  };
}

function accessLogs(path: string): object[] {
  const typed = { "@type": `${extensions}access_loggers.file.v3.FileAccessLog`, path };
  return [{ name: "envoy.access_loggers.file", typed_config: typed }];
}

function cluster(folder: PeerFolder, role: Role, between: Between): object {
  const address = role === "plain-out" ? layout.outsider : layout.server;
  const { backend } = portsOf[between === "tcp" ? "tcp" : "http"];
  const endpoint = { endpoint: { address: socketAddress(address, backend) } };
  return {
    name: "next",
    type: "STATIC",
    connect_timeout: "1s",
    lb_policy: "LEAST_REQUEST",
    circuit_breakers: {
      thresholds: [
        {
          max_connections: breakerMax,
          max_pending_requests: breakerMax,
          max_requests: breakerMax,
        },
      ],
    },
    load_assignment: { cluster_name: "next", endpoints: [{ lb_endpoints: [endpoint] }] },
    ...(role === "out" ? { transport_socket: clientTls(folder, between) } : {}),
    ...(role === "out" && between === "http2" ? http2Upstream : {}),
  };
}

const http2Upstream = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": `${extensions}upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

function serverTls(folder: PeerFolder, between: Between): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${extensions}transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: commonTls(folder, "in", between, { prefix: identities.trustDomain }),
    },
  };
}

function clientTls(folder: PeerFolder, between: Between): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${extensions}transport_sockets.tls.v3.UpstreamTlsContext`,
      common_tls_context: commonTls(folder, "out", between, { exact: identities.server }),
    },
  };
}

function commonTls(
  folder: PeerFolder,
  name: "out" | "in",
  between: Between,
  identity: object,
): object {
  return {
    // An upstream context stops at TLS 1.2 unless the maximum is set.
    tls_params: {
      tls_minimum_protocol_version: "TLSv1_3",
      tls_maximum_protocol_version: "TLSv1_3",
    },
    tls_certificates: [
      {
        certificate_chain: { filename: `${folder.path}/${name}.crt` },
        private_key: { filename: `${folder.path}/${name}.key` },
      },
    ],
    validation_context: {
      trusted_ca: { filename: `${folder.path}/ca.crt` },
      match_typed_subject_alt_names: [{ san_type: "URI", matcher: identity }],
    },
    ...(between === "http2" ? { alpn_protocols: ["h2"] } : {}),
  };
}

function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}
