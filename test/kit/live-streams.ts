// Three streams from one pod to another that do not end by themselves: an HTTP response, a WebSocket, and
// opaque TCP, each with a byte every 20 ms. They run as programs of the pods' own users.

/** Where the server has them, as the pod's own ports. */
export const streamPorts = { http: 8080, tcp: 6379 } as const;

/** For `node -e`; ends when its caller goes. */
export const serveStreams: string = `
  const { createServer } = require("node:http");
  const { createHash } = require("node:crypto");
  const drip = (to) => {
    const timer = setInterval(() => to.write("x"), 20);
    to.on("close", () => clearInterval(timer));
    to.on("error", () => {});
  };
  const server = createServer((request, response) => {
    if (request.url === "/once") return void response.end("once");
    response.writeHead(200);
    drip(response);
  });
  server.on("upgrade", (request, socket) => {
    const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write("HTTP/1.1 101 Switching Protocols\\r\\nupgrade: websocket\\r\\nconnection: upgrade\\r\\n" +
      "sec-websocket-accept: " + accept + "\\r\\n\\r\\n");
    drip(socket);
  });
  server.listen(${streamPorts.http}, "0.0.0.0");
  require("node:net").createServer(drip).listen(${streamPorts.tcp}, "0.0.0.0");
`;

export interface StreamReport {
  readonly bytes: number;
  /** Milliseconds since the Unix epoch; of the last byte that came. */
  readonly lastAt: number;
  /** False: it was still open in the end. */
  readonly isClosed: boolean;
}

export type StreamName = "http" | "websocket" | "tcp";

/** For `node -e`: prints a report of each as JSON once all have ended, or after `seconds`. */
export function readStreams(host: string, seconds: number): string {
  return `
  const { connect } = require("node:net");
  const upgrade = "upgrade: websocket\\r\\nconnection: upgrade\\r\\nsec-websocket-version: 13\\r\\n" +
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n";
  const get = (extra) => "GET /stream HTTP/1.1\\r\\nhost: streams\\r\\n" + extra + "\\r\\n";
  const wanted = { http: [80, get("")], websocket: [80, get(upgrade)], tcp: [${streamPorts.tcp}, ""] };
  const reports = {};
  let open = 0;
  const done = () => { console.log(JSON.stringify(reports)); process.exit(); };
  for (const [name, [port, hello]] of Object.entries(wanted)) {
    const report = (reports[name] = { bytes: 0, lastAt: 0, isClosed: false });
    const socket = connect(port, ${JSON.stringify(host)}, () => socket.write(hello));
    open += 1;
    socket.on("data", (bytes) => { report.bytes += bytes.length; report.lastAt = Date.now(); });
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => { report.isClosed = true; if (--open === 0) done(); });
  }
  setTimeout(done, ${seconds * 1000});
`;
}
