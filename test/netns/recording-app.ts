// An application that says on stdout of each connection and of each piece of bytes that reaches it, and
// answers HTTP requests. Its arguments are ports.
import { createServer } from "node:net";

const ports = process.argv.slice(2).map(Number);
let waiting = ports.length;
for (const port of ports) {
  const server = createServer((socket) => {
    process.stdout.write(`connection ${port}\n`);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      process.stdout.write(`bytes ${port} ${JSON.stringify(bytes.toString("latin1"))}\n`);
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\napp");
    });
  });
  server.listen(port, "::", () => {
    waiting -= 1;
    if (waiting === 0) process.stdout.write("ready\n");
  });
}
