// httpbin and nginx as their users deploy them, and what a client is told by them.
import { readFileSync } from "node:fs";
import path from "node:path";
import { applicationsPart } from "../build/applications.ts";
import { loadImages } from "../node/images.ts";
import { rigFolder } from "../settings.ts";
import { execute } from "./kubectl.ts";

const folder = path.join(rigFolder, "parts/applications");

/** Their images, into a cluster of ours; somebody else's has them already. */
export async function loadApplications(): Promise<void> {
  if (process.env["SIGNET_TEST_RIG"] !== undefined) await loadImages(await applicationsPart());
}

export const httpbin: object = deployment("httpbin", {
  ports: [{ containerPort: 8080 }],
  // What Python keeps in sets comes out in the same order in every process.
  env: [{ name: "PYTHONHASHSEED", value: "0" }],
  startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 60 },
  readinessProbe: { httpGet: { path: "/status/200", port: 8080 }, periodSeconds: 2 },
  livenessProbe: { httpGet: { path: "/get", port: 8080 }, periodSeconds: 5 },
});

/** What is large is the same everywhere, and no two pieces of it are. */
const makeLarge = "seq 3000000 >/www/large.txt && mkdir /www/folder && touch -d @0 /www/large.txt";

export const nginx: object = deployment(
  "nginx",
  {
    ports: [{ name: "web", containerPort: 80 }],
    readinessProbe: { httpGet: { path: "/", port: "web" }, periodSeconds: 2 },
    livenessProbe: { tcpSocket: { port: "web" }, periodSeconds: 5 },
    volumeMounts: [
      { name: "sites", mountPath: "/etc/nginx/sites-enabled" },
      { name: "www", mountPath: "/www" },
    ],
  },
  {
    initContainers: [
      {
        name: "content",
        image: "signet-test/nginx",
        imagePullPolicy: "IfNotPresent",
        command: ["sh", "-c", makeLarge],
        volumeMounts: [{ name: "www", mountPath: "/www" }],
      },
    ],
    volumes: [
      { name: "sites", configMap: { name: "sites" } },
      { name: "www", emptyDir: {} },
    ],
  },
);

/** Files, text that is compressed on the way, and httpbin behind it, by HTTP/1.0 and by HTTP/1.1. */
export const nginxSites: object = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "sites" },
  data: {
    default: `server {
  listen 80 default_server;
  listen [::]:80 default_server;
  root /www;
  location = / { return 200 "ready\\n"; }
  location /compressed/ { alias /www/; gzip on; gzip_types text/plain; }
  location /old/ { proxy_pass http://httpbin/; }
  location /new/ {
    proxy_pass http://httpbin/;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
  }
}
`,
  },
};

function deployment(name: string, container: object, spec: object = {}): object {
  const image = { image: `signet-test/${name}`, imagePullPolicy: "IfNotPresent" };
  const pod = { containers: [{ name, ...image, ...container }], ...spec };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: pod },
    },
  };
}

/** What one question was answered with. */
export interface Answer {
  readonly status: number;
  /** Names and values as they came, in turn. */
  readonly headers: readonly string[];
  readonly bytes: number;
  readonly sha256: string;
  /** Facts of this question: that a connection was kept, that 100 came, ... */
  readonly notes: Readonly<Record<string, unknown>>;
  /** The body, where it is JSON. */
  readonly json: unknown;
}

export type Answers = Readonly<Record<string, Answer>>;

/** Asks both applications everything of parts/applications/ask.mjs, from the pod `client`. */
export async function askAll(namespace: string): Promise<Answers> {
  const script = readFileSync(path.join(folder, "ask.mjs"), "utf8");
  const target = { namespace, pod: "client", container: "client" };
  const command = ["node", "--input-type=module", "-"];
  const { stdout, stderr } = await execute(target, command, { input: script, timeoutMs: 90_000 });
  try {
    return JSON.parse(stdout) as Answers;
  } catch {
    throw new Error(`No answers: ${stdout.slice(-2000)} ${stderr.slice(-2000)}`);
  }
}
