// Writes to a ledger until it is killed, and says after each batch how many entries are acknowledged.
import { LedgerThread } from "#/ca/ledger/thread.ts";
import { LedgerReader } from "#/ca/ledger/store.ts";
import { logEntries } from "./ledger.ts";

const file = process.argv[2] ?? "";
const thread = await LedgerThread.start(file);
using reader = new LedgerReader(file);
for (let size = reader.size(), batch = 1; ; batch = (batch % 40) + 1) {
  await thread.write(logEntries(size, size + batch));
  size += batch;
  process.stdout.write(`${size}\n`);
}
