// Asks the Workload API on the socket that it is given, as whoever it runs as, and prints how it was
// answered: "answered", or the status and its message. With "hold" it stays until it is killed.
import { WorkloadClient } from "../kit/workload-client.ts";

const call = new WorkloadClient(process.argv[2] ?? "").call("FetchX509SVID");
const answered = async (): Promise<string> => {
  for (;;) {
    if (call.answers.length > 0) return "answered";
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
const ended = call.ended.then(({ status, message }) => `${status} ${message}`);
process.stdout.write(`${await Promise.race([answered(), ended])}\n`);
if (process.argv[3] === "hold") setInterval(() => {}, 1000);
else process.exit();
