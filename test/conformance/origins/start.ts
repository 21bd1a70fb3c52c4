// The origins by name, each as lenient as it can be set: what a strict one would refuse shows nothing.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { findProgram } from "../../cluster/prerequisites.ts";
import { freePort } from "../../kit/free-port.ts";
import { httpRecorder, pathField } from "./http-recorder.ts";
import { ProcessOrigin } from "./origin.ts";
import type { Origin, Program } from "./origin.ts";
import { scgiRecorder } from "./scgi.ts";

export const originNames = [
  "node",
  "node-lenient",
  "nginx",
  "apache",
  "gunicorn",
  "h11",
  "go",
] as const;
export type OriginName = (typeof originNames)[number];

const parts = path.resolve(import.meta.dirname, "../parts/origins");
const apacheModules = "/usr/lib/apache2/modules";

export async function startOrigin(name: OriginName): Promise<Origin> {
  switch (name) {
    case "node":
    case "node-lenient":
      return ProcessOrigin.start(name, nodeProgram(name === "node-lenient"));
    case "nginx":
      return startNginx();
    case "apache":
      return startApache();
    case "gunicorn":
      return ProcessOrigin.start(name, await gunicornProgram());
    case "h11":
      return ProcessOrigin.start(name, pythonProgram(null, [path.join(parts, "h11-origin.py")]));
    case "go": {
      const command = process.env["SIGNET_TEST_GO_ORIGIN"] ?? "go-origin";
      return ProcessOrigin.start(name, { command, parameters: [], port: null });
    }
    default:
      return name satisfies never;
  }
}

function nodeProgram(lenient: boolean): Program {
  const parameters = [path.join(parts, "node-origin.ts"), ...(lenient ? ["--lenient"] : [])];
  return { command: process.execPath, parameters, port: null };
}

function pythonProgram(port: number | null, parameters: readonly string[]): Program {
  const packages = process.env["SIGNET_TEST_PYTHON_ORIGINS"] ?? "";
  const environment = { PYTHONPATH: `${packages}:${parts}`, PYTHONDONTWRITEBYTECODE: "1" };
  return { command: "python3", parameters, environment, port };
}

async function gunicornProgram(): Promise<Program> {
  const port = await freePort();
  const lenient = [
    "--permit-obsolete-folding",
    "--permit-unconventional-http-method",
    "--permit-unconventional-http-version",
    "--header-map=dangerous",
  ];
  const place = [`--bind=127.0.0.1:${port}`, "--worker-tmp-dir=/dev/shm", "--no-control-socket"];
  const kept = ["--threads=8", "--keep-alive=60"];
  return pythonProgram(port, ["-m", "gunicorn", ...place, ...kept, ...lenient, "gunicorn_origin"]);
}

async function startNginx(): Promise<Origin> {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-nginx-"));
  const port = await freePort();
  const config = path.join(folder, "nginx.conf");
  writeFileSync(config, nginxConfig(folder, port));
  const parameters = ["-c", config, "-e", path.join(folder, "error.log")];
  const command = findProgram("nginx") ?? "nginx";
  const origin = await ProcessOrigin.start("nginx", { command, parameters, port });
  const recorder = await scgiRecorder(path.join(folder, "recorder"), (seen) =>
    origin.seen.push(seen),
  );
  return whole(origin, folder, () => recorder.close());
}

async function startApache(): Promise<Origin> {
  const folder = mkdtempSync(path.join(tmpdir(), "signet-apache-"));
  const port = await freePort();
  const config = path.join(folder, "httpd.conf");
  const recorderPort = await freePort();
  writeFileSync(config, apacheConfig(folder, port, recorderPort));
  const parameters = ["-D", "FOREGROUND", "-f", config];
  const command = findProgram("apache2") ?? "apache2";
  const origin = await ProcessOrigin.start("apache", { command, parameters, port });
  const recorder = await httpRecorder(recorderPort, (seen) => origin.seen.push(seen));
  return whole(origin, folder, () => recorder.close());
}

/** An origin that has a folder, and something beside its process. */
function whole(origin: ProcessOrigin, folder: string, end: () => void): Origin {
  const { name, port, seen } = origin;
  return {
    name,
    port,
    seen,
    async [Symbol.asyncDispose]() {
      await origin[Symbol.asyncDispose]();
      end();
      rmSync(folder, { recursive: true });
    },
  };
}

function nginxConfig(folder: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join("\n");
  return `user root;
worker_processes 1;
daemon off;
pid ${folder}/pid;
events { worker_connections 512; }
http {
  access_log off;
  keepalive_timeout 60s;
  keepalive_requests 1000000;
  ignore_invalid_headers off;
  underscores_in_headers on;
${temporary}
  server {
    listen 127.0.0.1:${port} backlog=128;
    location / {
      scgi_pass unix:${folder}/recorder;
      scgi_param REQUEST_METHOD $request_method;
      scgi_param REQUEST_URI $request_uri;
      scgi_param DOCUMENT_URI $document_uri;
      scgi_param CONTENT_LENGTH $content_length;
    }
  }
}
`;
}

function apacheConfig(folder: string, port: number, recorderPort: number): string {
  const modules = ["mpm_event", "authz_core", "headers", "proxy", "proxy_http"]
    .map((name) => `LoadModule ${name}_module ${apacheModules}/mod_${name}.so`)
    .join("\n");
  return `ServerRoot ${folder}
ServerName origin
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
DefaultRuntimeDir ${folder}
${modules}
User nobody
Group nogroup
KeepAliveTimeout 60
MaxKeepAliveRequests 0
HttpProtocolOptions Unsafe LenientMethods Allow0.9
AllowEncodedSlashes NoDecode
TraceEnable off
RequestHeader set ${pathField} "expr=%{REQUEST_URI}"
ProxyPass / http://127.0.0.1:${recorderPort}/ nocanon disablereuse=On
`;
}
