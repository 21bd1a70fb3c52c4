// Nothing is issued that is not in a log which everybody can check: each certificate in force is proven, a copy
// is taken and found whole, and with one byte of it turned over the entry is named.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { entriesPath, tileWidth } from "#/transparency/tile.ts";
import { newestByPod, readIssued } from "../issued.ts";
import { isEntryOf, readInclusion } from "../log/answers.ts";
import { checkCopy, copyOf } from "../log/copy-check.ts";
import { copyLog } from "../log/copy.ts";
import { signedLogs } from "../log/signed-logs.ts";
import type { SignedLog } from "../log/signed-logs.ts";
import { podName } from "../mesh.ts";
import { counted } from "../text.ts";
import { hold } from "./claim.ts";
import type { Claim, TourContext } from "./claim.ts";

export const issuanceLog: Claim = {
  title: "Each certificate is proven to be in a log, and a byte changed in a copy of it is found",
  run: prove,
};

async function prove(context: TourContext): Promise<readonly string[]> {
  const { mesh, clock } = context;
  const proven = await provenCertificates(context);
  const folder = mkdtempSync(path.join(tmpdir(), "signet-copy-"));
  try {
    const evidence: string[] = [];
    for (const log of await signedLogs(mesh, clock.now())) {
      const { size } = await copyLog(mesh, log, folder);
      evidence.push(`${log.origin}: ${size} entries, signed by it and by its issuer`);
      if (size > 0) evidence.push(changedEntry(log, folder));
    }
    return [proven, ...evidence];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function provenCertificates({ mesh, clock }: TourContext): Promise<string> {
  const issued = newestByPod((await mesh.inspect("/v1/certificates")).flatMap(readIssued));
  const inForce = issued.filter(({ notAfter }) => notAfter > clock.now());
  hold(inForce.length > 0, "no certificate is in force");
  let hashes = 0;
  for (const one of inForce) {
    const found = readInclusion(await mesh.inspect(`/v1/log/inclusion?serial=${one.serial}`));
    const name = podName({ namespace: one.namespace, name: one.pod });
    hold(found !== null, `no log has the certificate of ${name}`);
    hold(isEntryOf(found, one), `the entry for ${name} is another certificate's`);
    hold(found.isProven, `the entry for ${name} is not in the log's tree`);
    hashes += found.hashes;
  }
  const all = counted(inForce.length, "certificate", "certificates");
  return `${all} in force: each proven to be logged, by ${hashes} hashes in all`;
}

/** The copy is whole; with a byte of its last entry turned over it is that entry that is named. */
function changedEntry({ origin, head }: SignedLog, folder: string): string {
  const copy = copyOf(folder, origin);
  const whole = checkCopy(copy.folder);
  hold(whole.faults.length === 0, `the copy is not whole: ${whole.faults.join("; ")}`);
  const last = head.size - 1;
  const tile = Math.floor(last / tileWidth);
  const file = path.join(copy.folder, entriesPath(tile, head.size - tile * tileWidth));
  const bytes = readFileSync(file);
  bytes[bytes.length - 10]! ^= 1;
  writeFileSync(file, bytes);
  const { faults } = checkCopy(copy.folder);
  const expected = `entry ${last} is not what was logged`;
  hold(faults.includes(expected), `a byte turned over was told as "${faults.join("; ")}"`);
  return `a copy of it is whole; with one bit of one byte turned over: ${expected}`;
}
