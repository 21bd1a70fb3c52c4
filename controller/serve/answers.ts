// What every part of the read API answers alike.
import type { AdminReply } from "#/lib/admin.ts";
import { json } from "#/lib/admin.ts";

export function badRequest(state: string): AdminReply {
  return json({ error: `Cannot answer: ${state}` }, 400);
}

/** The answer to a question that takes no parameter and has one. */
export function unknownParameter(url: URL): AdminReply | null {
  const [name] = url.searchParams.keys();
  return name === undefined ? null : badRequest(`parameter "${name.slice(0, 80)}" is unknown`);
}
