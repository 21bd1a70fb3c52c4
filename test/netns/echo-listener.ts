// Listens on the given ports of both families and answers each connection with one JSON line: which
// port took it, and what the kernel says the original destination was. Reads that by itself rather than
// through the proxy's own code, so that the rules are judged by somebody else.
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { dlopen } from "node:ffi";

export interface Arrival {
  readonly listener: number;
  readonly original: string | null;
  readonly peer: string;
}

const solIp = 0;
const solIpv6 = 41;
const soOriginalDst = 80;

const { functions } = dlopen("libc.so.6", {
  getsockopt: {
    arguments: ["i32", "i32", "i32", "pointer", "pointer"],
    return: "i32",
  },
});

/** `address:port`, or null when the kernel tracked no such connection. */
function originalDestination(socket: Socket): string | null {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const isIpv6 = socket.remoteFamily === "IPv6";
  const name = Buffer.alloc(28);
  const length = Buffer.alloc(4);
  length.writeInt32LE(name.length);
  const level = isIpv6 ? solIpv6 : solIp;
  if (functions.getsockopt(fd, level, soOriginalDst, name, length) !== 0) return null;
  const port = name.readUInt16BE(2);
  if (!isIpv6) return `${[...name.subarray(4, 8)].join(".")}:${port}`;
  const groups = Array.from({ length: 8 }, (_, index) =>
    name.readUInt16BE(8 + 2 * index).toString(16),
  );
  return `[${new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1)}]:${port}`;
}

const ports = process.argv.slice(2).map(Number);
let waiting = ports.length * 2;
for (const port of ports) {
  for (const host of ["0.0.0.0", "::"]) {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      const arrival: Arrival = {
        listener: port,
        original: originalDestination(socket),
        peer: socket.remoteAddress ?? "",
      };
      socket.end(`${JSON.stringify(arrival)}\n`);
    });
    server.listen({ port, host, ipv6Only: true }, () => {
      waiting -= 1;
      if (waiting === 0) process.stdout.write("ready\n");
    });
  }
}
