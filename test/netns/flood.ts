// Asks for more than a sidecar can give: so many connections that each send the next request when the last one is
// answered, for so long. Its first argument is an Order as JSON; it prints a Flooded.
import { connect } from "node:net";

export interface Order {
  readonly address: string;
  readonly port: number;
  readonly connections: number;
  readonly forMs: number;
}

export interface Flooded {
  /** Answers, by status. */
  readonly answers: Readonly<Record<string, number>>;
  /** The head and body of the last answer of each status, latin1. */
  readonly examples: Readonly<Record<string, string>>;
  /** Connections that the other end closed, in whatever way. */
  readonly closed: number;
}

const request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const order = JSON.parse(process.argv[2] ?? "") as Order;
const answers: Record<string, number> = {};
const examples: Record<string, string> = {};
let closed = 0;
for (let count = 0; count < order.connections; count += 1) open();
setTimeout(() => {
  process.stdout.write(JSON.stringify({ answers, examples, closed }), () => process.exit(0));
}, order.forMs);

function open(): void {
  const socket = connect({ host: order.address, port: order.port, noDelay: true });
  let received = "";
  socket.on("connect", () => socket.write(request));
  socket.on("error", () => {});
  socket.on("close", () => {
    closed += 1;
    open();
  });
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
    const end = received.indexOf("\r\n\r\n");
    const length = Number(/content-length: (\d+)/.exec(received)?.[1] ?? 0);
    if (end < 0 || received.length < end + 4 + length) return;
    const status = received.slice(9, 12);
    answers[status] = (answers[status] ?? 0) + 1;
    examples[status] = received;
    received = "";
    socket.write(request);
  });
}
