// The application of the client pod, as a program: does the one thing that its first argument names, and
// prints what came of it as a line of JSON.
import { once } from "node:events";
import * as http from "./caller-http.ts";
import { stalls } from "./caller-stalls.ts";
import * as tcp from "./caller-tcp.ts";
import * as websocket from "./caller-websocket.ts";

type Job = (...words: string[]) => Promise<unknown>;

const say = (report: unknown): void => void process.stdout.write(`${JSON.stringify(report)}\n`);

const jobs: Readonly<Record<string, Job>> = {
  messages: websocket.messages,
  deflated: websocket.deflated,
  closes: websocket.closes,
  refused: websocket.refused,
  builtIn: websocket.builtIn,
  events: http.events,
  poll: http.poll,
  drip: http.drip,
  source: http.source,
  sink: http.sink,
  once: () => http.textOf(http.call("/once")),
  tcpSource: tcp.tcpSource,
  tcpSink: tcp.tcpSink,
  halves: tcp.halves,
  banners: tcp.banners,
  ownTls: tcp.ownTls,
  /** Goes on with whatever comes on standard input. */
  stalls: (bytes) => stalls(Number(bytes), say, once(process.stdin, "data")),
};

const [name = "", ...words] = process.argv.slice(2);
const job: Job | undefined = jobs[name];
if (job === undefined)
  throw new Error(`Unknown job "${name}": one of ${Object.keys(jobs).join(", ")}`);
// An EventSource that waits to come back does not keep its process alive.
setInterval(() => {}, 1000);
say(await job(...words));
process.exit();
