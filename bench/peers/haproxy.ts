// HAProxy as a sidecar: one thread, connections reused, one log line per request. Pure.
import { layout, portsOf, serverName } from "../layout.ts";
import type { Between, PeerFolder, PeerPlan, Role } from "./peer.ts";

export function haproxyPlan(
  binary: string,
  folder: PeerFolder,
  role: Role,
  between: Between,
): PeerPlan {
  const name = `${role}.cfg`;
  return {
    files: [{ name, text: haproxyConfig(folder, role, between) }],
    command: binary,
    parameters: ["-db", "-q", "-f", `${folder.path}/${name}`],
    // HAProxy can log to a descriptor; the launcher points standard output at this file.
    accessLog: `${folder.path}/${role}.log`,
  };
}

function haproxyConfig(folder: PeerFolder, role: Role, between: Between): string {
  const alpn = between === "http2" ? " alpn h2" : "";
  const port = role === "in" ? layout.inboundPort : layout.outboundPort;
  const address = role === "plain-out" ? layout.outsider : layout.server;
  const bindTls =
    role === "in"
      ? ` ssl crt ${folder.path}/in.pem ca-file ${folder.path}/ca.crt verify required${alpn}`
      : "";
  const serverTls =
    role === "out"
      ? ` ssl crt ${folder.path}/out.pem ca-file ${folder.path}/ca.crt verify required` +
        ` verifyhost ${serverName}${alpn}`
      : "";
  return `global
  nbthread 1
  maxconn 4096
  log stdout format raw local0
  stats socket ${folder.path}/${role}.sock
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
defaults
  mode ${between === "tcp" ? "tcp" : "http"}
  log global
  option ${between === "tcp" ? "tcplog" : "httplog"}
  timeout client 60s
  timeout server 60s
  timeout connect 5s
${between === "tcp" ? "" : "  timeout http-keep-alive 60s\n  http-reuse always\n"}frontend front
  bind 0.0.0.0:${port}${bindTls}
  default_backend next
backend next
  server next ${address}:${portsOf[between === "tcp" ? "tcp" : "http"].backend} pool-purge-delay 60s${serverTls}
`;
}
