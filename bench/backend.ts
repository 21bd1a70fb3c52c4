// The backend behind every subject: nginx with fixed answers, on the core that proxies do not use. Pure.
import { layout } from "./layout.ts";

/** 54 bytes, as the sample application answers. */
export const greeting: string = "Hello from app-b service! Hostname: app-b Version: v1\n";

/** Files behind /16k and /1m, in the folder given to `backendConfig`. */
export const files: readonly { readonly name: string; readonly text: string }[] = [
  { name: "16k", text: "0123456789abcde\n".repeat(1024) },
  { name: "1m", text: "0123456789abcde\n".repeat(64 * 1024) },
];

const responseHeaders: readonly (readonly [string, string])[] = [
  ["Cache-Control", "private, max-age=0, must-revalidate"],
  ["Vary", "Accept-Encoding, Cookie"],
  ["Strict-Transport-Security", "max-age=31536000; includeSubDomains"],
  ["X-Content-Type-Options", "nosniff"],
  ["X-Frame-Options", "SAMEORIGIN"],
  ["Referrer-Policy", "strict-origin-when-cross-origin"],
  ["Content-Language", "en-GB"],
  // The one that differs each time.
  ["X-Response-Id", "$request_id"],
];

/** nginx configuration; `folder` holds the files and takes the pid, error files and a socket. */
export function backendConfig(folder: string): string {
  const answer = `return 200 "${greeting.replace("\n", "\\n")}";`;
  const headers = responseHeaders.map(([name, value]) => `add_header ${name} "${value}";`);
  return `worker_processes 1;
daemon off;
pid ${folder}/backend.pid;
error_log ${folder}/backend.log error;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  default_type text/plain;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16;
${temporaryPaths(folder)}
  server {
    listen ${layout.backendPort} backlog=4096;
    listen ${layout.opaqueBackendPort} backlog=4096;
    location /hello { ${answer} }
    location /headers { ${headers.join(" ")} ${answer} }
    location /16k { root ${folder}; }
    location /1m { root ${folder}; }
    # Reads all of a body before it answers: what is behind it gets none.
    location /upload {
      client_max_body_size 2m;
      client_body_buffer_size 2m;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_pass http://unix:${folder}/taken.sock:;
    }
  }
  server {
    listen unix:${folder}/taken.sock;
    location / { ${answer} }
  }
}
`;
}

/** nginx wants these folders even where it never uses them; its defaults belong to root. */
export function temporaryPaths(folder: string): string {
  return ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join("\n");
}
