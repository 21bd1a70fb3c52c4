// node:http as an origin that says what it understood: a line of JSON for each complete request, the port
// before all. `--lenient`: with its lenient parser.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const insecureHTTPParser = process.argv.includes("--lenient");
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

const server = createServer(
  { insecureHTTPParser, requireHostHeader: false },
  (request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("error", () => {});
    request.on("end", () => {
      const { method = "", url: target = "", rawHeaders: fields } = request;
      tell({
        method,
        target,
        path: pathOf(target),
        fields,
        body: Buffer.concat(parts).toString("base64"),
      });
      const text = `${method} ${target}`;
      response.writeHead(200, { "content-length": Buffer.byteLength(text, "latin1") });
      response.end(text, "latin1");
    });
  },
);
server.keepAliveTimeout = 60_000;
server.on("clientError", (_error, socket) =>
  socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
);
server.listen(0, "127.0.0.1", () => tell({ port: (server.address() as AddressInfo).port }));

/** As applications read it: resolved and decoded. */
function pathOf(target: string): string {
  const { pathname } = new URL(target === "*" ? "/" : target, "http://origin");
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}
