// Brings a copy of a log up to date, or begins one.
import { readTileHashes } from "./answers.ts";
import { copyOf } from "./copy-check.ts";
import { LogFollower } from "./follower.ts";
import type { Mesh } from "../mesh.ts";
import type { SignedLog } from "./signed-logs.ts";

export interface Copied {
  /** Entries of the log before, and now; those that were pruned are counted, too. */
  readonly before: number;
  readonly size: number;
}

/** `folder` has the copies of all logs. Throws LogFault when the log does not go on from its copy. */
export async function copyLog(
  mesh: Mesh,
  { head, signed, origin }: SignedLog,
  folder: string,
): Promise<Copied> {
  const copy = copyOf(folder, origin);
  const before = copy.head()?.size ?? head.first;
  if (copy.head() === null && before > 0) {
    const query = new URLSearchParams({ pod: head.pod, before: String(before) }).toString();
    copy.begin(before, readTileHashes(await mesh.inspect(`/v1/log/tiles?${query}`)) ?? []);
  }
  const follower = new LogFollower(mesh, copy.edge(before));
  for await (const { from, entries } of follower.advance(head)) copy.add(from, entries);
  copy.finish(before, head.size, signed);
  return { before, size: head.size };
}
