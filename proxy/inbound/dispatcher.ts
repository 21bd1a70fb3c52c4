// The requests of one inbound connection, whose caller is known and allowed: passed on to the
// application, with the caller's proven identity in place of whatever the request claims.
import type { Clock } from "#/lib/clock.ts";
import { formatHostPort } from "#/lib/ip.ts";
import { linesOf, requestBytes } from "../http1/writer.ts";
import type { Lines } from "../http1/writer.ts";
import type { AccessLog } from "../observe/access-log.ts";
import type { ProxyMetrics, RequestCells } from "../observe/metrics.ts";
import type { Gate } from "../overload/gate.ts";
import { refuseOverloaded } from "../overload/refuse.ts";
import type { Dispatcher, LiveRequest } from "../stream/dispatcher.ts";
import type { Http1Transport } from "../stream/pool.ts";
import type { Target, UpstreamFailure } from "../stream/transport.ts";
import type { ConnectionClaim } from "./authorize.ts";

export interface InboundContext {
  readonly clock: Clock;
  readonly metrics: ProxyMetrics;
  readonly accessLog: AccessLog;
  readonly transport: Http1Transport<Target>;
  readonly gate: Gate;
}

export class InboundDispatcher implements Dispatcher {
  readonly #context: InboundContext;
  readonly #target: Target;
  /** "address:port", for logs. */
  readonly #upstream: string;
  readonly #source: string;
  readonly #group: string;
  readonly #destination: string;
  readonly #identityLine: Lines | null;
  readonly #cells: RequestCells;
  readonly #onClosed: () => void;

  constructor(
    context: InboundContext,
    target: Target,
    { identity: source, group }: ConnectionClaim,
    destination: string,
    onClosed: () => void,
  ) {
    this.#context = context;
    this.#target = target;
    this.#upstream = formatHostPort(target.address, target.port);
    this.#source = source ?? "plaintext";
    this.#group = group;
    this.#destination = destination;
    // Claims of identity are taken out of every request; only what mTLS proved is put in.
    this.#identityLine =
      source === null ? null : linesOf(`x-forwarded-client-cert: By=${destination};URI=${source}`);
    this.#cells = context.metrics.requestCells({
      direction: "inbound",
      source: this.#source,
      destination,
      service: "",
      backend: "",
    });
    this.#onClosed = onClosed;
  }

  dispatch(exchange: LiveRequest): void {
    const { gate } = this.#context;
    if (!gate.admits()) return refuseOverloaded(exchange, gate);
    exchange.setHead(requestBytes(exchange.request, this.#identityLine));
  }

  open(exchange: LiveRequest): void {
    this.#context.transport.open(this.#target, exchange);
  }

  responded(): boolean {
    return false;
  }

  /**
   * The application is going, or not there yet. Another sidecar is told so by a reset instead of an
   * answer: it has other endpoints, and repeats what is safe to repeat.
   */
  failed(exchange: LiveRequest, failure: UpstreamFailure): boolean {
    if (this.#source === "plaintext" || !isGoing(failure)) return false;
    exchange.cut(failure);
    return true;
  }

  cancelled(exchange: LiveRequest): void {
    this.#context.transport.forget(this.#target, exchange);
  }

  finished(exchange: LiveRequest): void {
    const { clock, accessLog, metrics } = this.#context;
    const durationMs = clock.monotonic() - exchange.startedMs;
    const { status, requestBodyBytes, responseBodyBytes, request } = exchange;
    this.#cells.record(status, durationMs / 1000, requestBodyBytes, responseBodyBytes);
    if (exchange.reason !== "") metrics.refusals.with("inbound", exchange.reason).add();
    const head = request.end > 0;
    accessLog.request({
      direction: "inbound",
      method: head ? request.methodText : "",
      path: head ? request.pathText : "",
      status,
      durationMs,
      requestBytes: requestBodyBytes,
      responseBytes: responseBodyBytes,
      source: this.#source,
      destination: this.#destination,
      service: "",
      upstream: this.#upstream,
      group: this.#group,
      tries: exchange.tries,
      reason: exchange.reason,
    });
  }

  closed(): void {
    this.#onClosed();
  }
}

/** It takes no connection, or broke one off before it answered. */
function isGoing(failure: UpstreamFailure): boolean {
  switch (failure) {
    case "connect_refused":
    case "connect_timeout":
    case "connect_failed":
    case "reset":
    case "ended":
      return true;
    case "tls_failed":
    case "identity_refused":
    case "identity_suspended":
    case "trust_domain_not_federated":
    case "key_exchange_classical":
    case "no_credentials":
    case "overflow":
    case "response_invalid":
    case "response_timeout":
    case "try_timeout":
      return false;
    default:
      return failure satisfies never;
  }
}
