// nginx as a sidecar: one worker, upstream connections kept, one log line per request. Pure.
import { temporaryPaths } from "../backend.ts";
import { layout, serverName } from "../layout.ts";
import type { PeerFolder, PeerPlan, Role } from "./peer.ts";

/** Upstream connections kept while idle; more than the bench's clients. */
const keptConnections = 128;

export function nginxPlan(binary: string, folder: PeerFolder, role: Role): PeerPlan {
  const name = `${role}.conf`;
  const accessLog = `${folder.path}/${role}.log`;
  return {
    files: [{ name, text: nginxConfig(folder, role, accessLog) }],
    command: binary,
    parameters: ["-c", `${folder.path}/${name}`, "-e", `${folder.path}/${role}.err`],
    accessLog,
  };
}

function nginxConfig(folder: PeerFolder, role: Role, accessLog: string): string {
  const port = role === "in" ? layout.inboundPort : layout.outboundPort;
  const address = role === "plain-out" ? layout.outsider : layout.server;
  const scheme = role === "out" ? "https" : "http";
  return `worker_processes 1;
daemon off;
pid ${folder.path}/${role}.pid;
error_log ${folder.path}/${role}.err error;
events { worker_connections 4096; }
http {
  access_log ${accessLog} combined buffer=64k flush=1s;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
${temporaryPaths(folder.path)}
  upstream next {
    server ${address}:${layout.backendPort};
    keepalive ${keptConnections};
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
  }
  server {
    listen ${port}${role === "in" ? " ssl" : ""} backlog=4096;
${role === "in" ? serverTls(folder) : ""}
    client_max_body_size 0;
    location / {
      # As a sidecar has to: a body is passed on while it comes.
      proxy_request_buffering off;
      proxy_pass ${scheme}://next;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
${role === "out" ? clientTls(folder) : ""}
    }
    location = /nginx_status { stub_status; allow 127.0.0.1; deny all; }
  }
}
`;
}

function serverTls(folder: PeerFolder): string {
  return `    ssl_protocols TLSv1.3;
    ssl_certificate ${folder.path}/in.crt;
    ssl_certificate_key ${folder.path}/in.key;
    ssl_client_certificate ${folder.path}/ca.crt;
    ssl_verify_client on;`;
}

function clientTls(folder: PeerFolder): string {
  return `      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_certificate ${folder.path}/out.crt;
      proxy_ssl_certificate_key ${folder.path}/out.key;
      proxy_ssl_trusted_certificate ${folder.path}/ca.crt;
      proxy_ssl_verify on;
      proxy_ssl_name ${serverName};`;
}
