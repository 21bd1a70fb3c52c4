// How a request is refused that a gate did not admit: as every answer of our own, and the connection is kept
// or closed as the gate says.
import type { LiveRequest } from "../stream/dispatcher.ts";
import { overloaded } from "./gate.ts";
import type { Gate } from "./gate.ts";

export function refuseOverloaded(exchange: LiveRequest, gate: Gate): void {
  if (gate.shedsConnections) exchange.drain();
  exchange.reply(503, overloaded);
}
