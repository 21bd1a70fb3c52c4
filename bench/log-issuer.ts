// The ledger alone: entries appended to one that is already large, through the very class that the controller
// uses, its thread and disk included.
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import type { LedgerEntry } from "#/ca/ledger/entry.ts";
import { openLedger } from "#/ca/ledger/ledger.ts";
import { LedgerStore } from "#/ca/ledger/store.ts";
import { serialBytes, serialNumber } from "#/ca/signer.ts";
import { systemClock } from "#/lib/clock.ts";
import { step } from "#/test/cluster/progress.ts";
import { inFlight } from "./issue-load.ts";
import { identities } from "./layout.ts";
import type { Issuer, IssuerContext } from "./issuer.ts";
import { saturate } from "./saturate.ts";

/** Workloads that the entries are of, each renewed many times. */
const podCount = 1_000;
/** Written at a time before the first round: nothing waits for the disk there. */
const fillBatch = 2_000;
/** Of an entry as large as ours are: a leaf in DER. */
const certificateBytes = 520;

export async function appendToLedger(context: IssuerContext): Promise<Issuer> {
  const { folder, now, ledgerEntries } = context;
  const own = `${folder}/log-append`;
  mkdirSync(own, { recursive: true });
  const file = `${own}/ledger.sqlite`;
  await step(`Filling a ledger with ${ledgerEntries} entries`, () =>
    fill(file, ledgerEntries, now),
  );
  const ledger = await openLedger(file, systemClock);
  return {
    subject: "signet",
    issue: (calls) => {
      const entries = Array.from({ length: calls }, () => entry(now()));
      return saturate(calls, inFlight, (index) => ledger.append(entries[index]!));
    },
    [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose](),
  };
}

async function fill(file: string, size: number, now: () => number): Promise<void> {
  using store = new LedgerStore(file);
  for (let written = 0; written < size; written += fillBatch) {
    const count = Math.min(fillBatch, size - written);
    store.write(Array.from({ length: count }, () => entry(now())));
    // The heartbeat of the step, and Ctrl-C.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Another key and serial each time, for one of the pods. */
function entry(now: number): LedgerEntry {
  const random = randomBytes(56 + certificateBytes);
  const hex = (start: number, end: number): string => random.toString("hex", start, end);
  const pod = String(random.readUInt32BE(0) % podCount);
  return {
    id: identities.server,
    namespace: "app-b",
    serviceAccount: "app-b",
    pod: `app-b-${pod}`,
    podUid: `00000000-0000-4000-8000-${pod.padStart(12, "0")}`,
    node: `node-${Number(pod) % 100}`,
    policy: "identity; token-review; default life",
    address: "10.203.0.2",
    tokenHash: hex(8, 40),
    issuedAt: now,
    notBefore: now - 60_000,
    notAfter: now + 900_000,
    serial: Buffer.from(serialNumber(random.subarray(8, 8 + serialBytes), now)).toString("hex"),
    issuerSerial: "40".repeat(serialBytes),
    keyFingerprint: hex(24, 56),
    certificate: random.subarray(56),
  };
}
