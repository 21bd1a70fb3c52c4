// What every part of the read API answers alike.
import type { AdminReply } from "#/lib/admin.ts";
import { json } from "#/lib/admin.ts";

export function badRequest(state: string): AdminReply {
  return json({ error: `Cannot answer: ${state}` }, 400);
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
