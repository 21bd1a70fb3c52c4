// The heads of all logs of a mesh, as far as they are signed as they must be.
import type { Mesh } from "../mesh.ts";
import { readHeads } from "./answers.ts";
import type { SignedHead, ToldHead } from "./answers.ts";
import { LogFault } from "./log-fault.ts";
import { checkSigned, rootsOf } from "./signed.ts";

export interface SignedLog {
  readonly head: ToldHead;
  readonly signed: SignedHead;
  readonly origin: string;
}

/** The heads of all logs; throws LogFault for one whose signatures do not hold. */
export async function signedLogs(mesh: Mesh, now: number): Promise<readonly SignedLog[]> {
  const roots = await rootsOf(mesh);
  const heads = readHeads(await mesh.inspect("/v1/log/head"));
  return heads.map((head) => {
    const signature = checkSigned(head, roots, now);
    if (signature.isGood) return { head, signed: head.signed!, origin: signature.origin };
    throw new LogFault(`the head of ${head.pod} is not signed as it must be: ${signature.fault}`);
  });
}
