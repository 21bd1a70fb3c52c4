// After a 101 both connections stop being HTTP: whoever listened to the caller's socket lets go, and
// bytes are copied both ways.
import type { Socket } from "node:net";
import { severedFor } from "../net/sever.ts";
import { Splice } from "../net/splice.ts";
import type { SpliceEnd } from "../net/splice.ts";
import { BODY } from "#/http/http1/framing.ts";
import type { RequestHead } from "#/http/http1/request-head.ts";
import { acceptsWebsocket, websocketAccept } from "#/http/http1/websocket.ts";
import { responseBytes } from "#/http/http1/writer.ts";
import type { ExchangeContext } from "./dispatcher.ts";
import type { MessageWriter } from "./message-writer.ts";
import type { Switching } from "./transport.ts";

/** Tells the caller of the switch; false: it is none that the caller asked for, and nothing was told. */
export function switchProtocols(
  writer: MessageWriter,
  request: RequestHead,
  { head, early }: Switching,
): boolean {
  if (!acceptsWebsocket(head, websocketAccept(request))) return false;
  writer.head(responseBytes(head, null), BODY.none);
  writer.content(early, 0, early.length);
  writer.flush();
  return true;
}

/**
 * `early`: what the caller sent ahead of the 101. `upstream` has nobody any more who reads it. `reason` is empty when
 * nobody of us broke it off.
 */
export function openTunnel(
  downstream: Socket,
  upstream: Socket,
  early: Buffer | null,
  context: ExchangeContext,
  onEnd: (end: SpliceEnd, reason: string) => void,
): Splice {
  for (const event of ["data", "drain", "end", "error"]) downstream.removeAllListeners(event);
  if (early !== null) upstream.write(early);
  const { deadlines, tunnelIdleTimeoutMs: idleTimeoutMs } = context;
  return new Splice(downstream, upstream, {
    deadlines,
    idleTimeoutMs,
    screen: null,
    onEnd: (end) => onEnd(end, severedFor(upstream) ?? ""),
  });
}
