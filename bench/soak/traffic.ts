// The soak's load, as a program of the client pod: everything at once. Prints what it came to, as a line of
// JSON each time something comes on standard input, and ends with that. Its argument: requests per second.
import { createInterface } from "node:readline";
import { percentile } from "../statistics.ts";
import { startHttp } from "./http-traffic.ts";
import { startStreams } from "./stream-traffic.ts";
import { Tally } from "./tally.ts";

const tally = new Tally();
const say = (): void => void process.stdout.write(`${JSON.stringify(tally.report(percentile))}\n`);

startHttp(tally, { kept: Number(process.argv[2]), churned: 20, slow: 1 });
startStreams(tally);
say();
for await (const _line of createInterface({ input: process.stdin })) say();
process.exit();
