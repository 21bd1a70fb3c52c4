// How requests reach endpoints: over HTTP/2 that many share where a sidecar stands at the other end, over HTTP/1.1 to
// anybody else, for what HTTP/2 does not carry, and to sidecars that do not know it yet.
import { Http2Transport } from "../stream/http2/transport.ts";
import { Http1Transport } from "../stream/pool.ts";
import type { Connector, PoolContext, Transport } from "../stream/transport.ts";
import { alpnHttp1, alpnHttp2 } from "../tls/credentials.ts";
import type { EndpointState } from "./endpoint.ts";

/** `connectorOf` makes connections on which these protocols are offered to sidecars. */
export function endpointTransport(
  connectorOf: (protocols: readonly string[]) => Connector<EndpointState>,
  context: PoolContext,
): Transport<EndpointState> {
  const http1 = new Http1Transport(connectorOf([alpnHttp1]), context);
  return new Http2Transport(connectorOf([alpnHttp2, alpnHttp1]), http1, isMesh, context);
}

function isMesh({ identity, local }: EndpointState): boolean {
  return identity !== null && !local;
}
