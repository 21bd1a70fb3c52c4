// Whether a 101 proves that upstream speaks WebSocket (RFC 6455 section 4.2.2): only then do bytes pass
// untouched (attack 45). A server that merely echoes the upgrade fails here.
import { createHash } from "node:crypto";
import { textOf } from "./bytes.ts";
import { KIND } from "./field-kind.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The Sec-WebSocket-Accept that answers this request. Read it before the request head is reset. */
export function websocketAccept(head: RequestHead): string {
  const key = head.fields.first[KIND.websocketKey]!;
  const text = textOf(head.buffer, head.fields.valueStart(key), head.fields.valueEnd(key));
  return createHash("sha1").update(`${text}${GUID}`).digest("base64");
}

/** Whether the switching response carries exactly this accept value, once. */
export function acceptsWebsocket(head: ResponseHead, accept: string): boolean {
  const { fields } = head;
  if (!head.switching || !fields.has(KIND.websocketAccept)) return false;
  if ((fields.repeated & (1 << KIND.websocketAccept)) !== 0) return false;
  const field = fields.first[KIND.websocketAccept]!;
  return textOf(head.buffer, fields.valueStart(field), fields.valueEnd(field)) === accept;
}
