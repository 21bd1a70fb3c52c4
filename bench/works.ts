// What is measured: each work names its path through the proxies, its requests and its load. Pure data.

export interface Work {
  readonly name: string;
  /** hop: client -> outbound proxy -> plain backend. pair: outbound -> mutual TLS -> inbound -> backend. */
  readonly route: "hop" | "pair";
  /** Who takes part: our sidecar and its peers on one core, or ours with one and with two workers on all cores. */
  readonly field: "peers" | "workers";
  readonly connections: number;
  /** GET; POST with `bodyBytes`. */
  readonly path: string;
  /** Of each request; 0: no body. */
  readonly bodyBytes: number;
  /** http: the proxies see requests. tcp: an opaque port, bytes alone. */
  readonly carries: "http" | "tcp";
  /** Request headers beside Host. */
  readonly headers: readonly (readonly [string, string])[];
  /** saturated: as fast as it goes, then latency at a fixed rate. paced: only at that rate. */
  readonly load: "saturated" | "paced";
  /** Requests per second of the paced part; below the slowest subject's saturation. */
  readonly rate: number;
}

/** Stands in a header value for the part that differs with each request: 12 hexadecimal digits. */
export const varyingMark = "{varying}";

const connections = 32;
const latencyRate = 3000;

/** Twelve headers as a browser behind an ingress sends them, one of them different each time. */
const realisticHeaders: Work["headers"] = [
  [
    "User-Agent",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  ],
  ["Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"],
  ["Accept-Encoding", "gzip, deflate, br, zstd"],
  ["Accept-Language", "en-GB,en;q=0.9,de;q=0.7"],
  ["Cache-Control", "no-cache"],
  ["Cookie", "session=0b6c9f1e57ad4f0c8d7e2f4a93c1be55; theme=dark; consent=1"],
  ["Referer", "https://shop.example.com/catalogue/shoes?page=3&sort=price"],
  ["Authorization", `Bearer ${"eyJhbGciOiJFUzI1NiJ9".repeat(8)}`],
  ["Origin", "https://shop.example.com"],
  ["X-Forwarded-Proto", "https"],
  ["DNT", "1"],
  ["X-Request-Id", `6f1c2d9e-8a41-4c55-9e0b-${varyingMark}`],
];

const base = {
  route: "pair",
  field: "peers",
  connections,
  path: "/hello",
  bodyBytes: 0,
  carries: "http",
  headers: [],
  load: "saturated",
  rate: latencyRate,
} as const satisfies Partial<Work>;

export const works: readonly Work[] = [
  { ...base, name: "h1-plain-hop", route: "hop" },
  { ...base, name: "h1-mtls-pair" },
  { ...base, name: "h1-mtls-pair-headers", path: "/headers", headers: realisticHeaders },
  { ...base, name: "h1-mtls-pair-paced-3000", load: "paced", rate: 3000 },
  { ...base, name: "h1-mtls-pair-paced-6000", load: "paced", rate: 6000 },
  { ...base, name: "h1-mtls-pair-16k", path: "/16k" },
  { ...base, name: "h1-mtls-pair-1m", path: "/upload", bodyBytes: 1024 * 1024, rate: 100 },
  { ...base, name: "tcp-mtls-pair", path: "/1m", carries: "tcp", connections: 8, rate: 100 },
  { ...base, name: "workers-plain-hop", route: "hop", field: "workers" },
  { ...base, name: "workers-mtls-pair", field: "workers" },
];

/** The head of one request, with `varyingMark` still in place. */
export function requestHead(work: Work, host: string): string {
  const method = work.bodyBytes > 0 ? "POST" : "GET";
  const lines = [`${method} ${work.path} HTTP/1.1`, `Host: ${host}`];
  if (work.bodyBytes > 0) lines.push(`Content-Length: ${work.bodyBytes}`);
  for (const [name, value] of work.headers) lines.push(`${name}: ${value}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}
