// The requests of one outbound connection: route, pick a backend by weight, pick an endpoint, try, and
// try again where that is safe.
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Cell } from "#/lib/metrics.ts";
import { ascii } from "../http1/bytes.ts";
import { isIdempotent } from "../http1/method.ts";
import { requestBytes } from "../http1/writer.ts";
import { LazyTimer } from "../net/lazy-timer.ts";
import type { AccessLog } from "../observe/access-log.ts";
import type { ProxyMetrics, RequestCells } from "../observe/metrics.ts";
import type { Gate } from "../overload/gate.ts";
import { refuseOverloaded } from "../overload/refuse.ts";
import type { Dispatcher, LiveRequest } from "../stream/dispatcher.ts";
import type { Http1Transport } from "../stream/pool.ts";
import type { UpstreamFailure } from "../stream/transport.ts";
import { pickEndpoint } from "./balance.ts";
import type { Chance } from "./balance.ts";
import type { RetryBudget } from "./budget.ts";
import type { ClusterState, EndpointState } from "./endpoint.ts";
import { isEndpointFault, noteOutcome } from "./outlier.ts";
import { decideRetry, defaultRetryPolicy } from "./retry.ts";
import { matchRoute } from "./route.ts";
import type { CompiledRoute, RouteFacts } from "./route.ts";
import type { PortState } from "./table.ts";

/** Where the connection goes: a routed port, or one endpoint. */
export type Upstreams =
  | { readonly kind: "service"; readonly port: PortState }
  | { readonly kind: "endpoint"; readonly cluster: ClusterState; readonly endpoint: EndpointState };

export interface OutboundContext {
  readonly clock: Clock;
  readonly metrics: ProxyMetrics;
  readonly accessLog: AccessLog;
  readonly transport: Http1Transport<EndpointState>;
  readonly chance: Chance;
  readonly budgetOf: (service: string) => RetryBudget;
  readonly ownIdentity: () => SpiffeId | null;
  /** In [0, 1). */
  readonly random: () => number;
  /** Cells by destination, service and backend; shared by all connections. */
  readonly cells: Map<string, RequestCells>;
  readonly onClosed: (exchange: LiveRequest) => void;
  readonly gate: Gate;
}

export class OutboundDispatcher implements Dispatcher {
  readonly #context: OutboundContext;
  readonly #upstreams: Upstreams;
  readonly #service: string;
  readonly #budget: RetryBudget;
  readonly #facts: HeadFacts;
  #route: CompiledRoute | null = null;
  #cluster: ClusterState | null = null;
  #endpoint: EndpointState | null = null;
  /** The try holds a place in its endpoint's count of active requests. */
  #trying = false;
  #repeats = 0;
  #exchange: LiveRequest | null = null;
  readonly #requestTimer: LazyTimer;
  readonly #tryTimer: LazyTimer;
  #cancelRepeat: (() => void) | null = null;
  // The cells of the last request: mostly those of the next.
  #cells: RequestCells | null = null;
  #cellsCluster: ClusterState | null = null;
  #cellsIdentity: string | null = null;
  #tryCell: Cell | null = null;
  #tryCluster: ClusterState | null = null;
  #tryOutcome = "";

  constructor(context: OutboundContext, upstreams: Upstreams) {
    this.#context = context;
    this.#upstreams = upstreams;
    this.#service = upstreams.kind === "service" ? upstreams.port.service : "";
    this.#budget = context.budgetOf(this.#service);
    this.#facts = new HeadFacts();
    this.#requestTimer = new LazyTimer(context.clock, () => this.#requestTimedOut());
    this.#tryTimer = new LazyTimer(context.clock, () => this.#tryTimedOut());
  }

  dispatch(exchange: LiveRequest): void {
    this.#repeats = 0;
    this.#endpoint = null;
    this.#cluster = null;
    this.#route = null;
    const { gate } = this.#context;
    if (!gate.admits()) return refuseOverloaded(exchange, gate);
    if (!this.#choose(exchange)) return;
    exchange.setHead(requestBytes(exchange.request, null));
    this.#budget.deposit();
  }

  open(exchange: LiveRequest): void {
    this.#exchange = exchange;
    const timeoutMs = this.#route?.requestTimeoutMs ?? 0;
    if (timeoutMs > 0) this.#requestTimer.arm(timeoutMs);
    this.#try(exchange);
  }

  responded(exchange: LiveRequest, status: number): boolean {
    const gatewayFault = status >= 502 && status <= 504;
    this.#settle(STATUS_CLASSES[Math.floor(status / 100)] ?? "other", gatewayFault);
    return this.#again(exchange, status, null, true);
  }

  failed(exchange: LiveRequest, failure: UpstreamFailure, sent: boolean): boolean {
    this.#settle(failure, isEndpointFault(failure) ? true : null);
    return this.#again(exchange, 0, failure, sent);
  }

  cancelled(exchange: LiveRequest): void {
    if (this.#endpoint !== null) this.#context.transport.forget(this.#endpoint, exchange);
    this.#settle("cancelled", null);
  }

  finished(exchange: LiveRequest): void {
    this.#clearTimers();
    this.#release();
    const { clock, accessLog } = this.#context;
    const durationMs = clock.monotonic() - exchange.startedMs;
    const { status, requestBodyBytes, responseBodyBytes, request } = exchange;
    this.#cellsOf().record(status, durationMs / 1000, requestBodyBytes, responseBodyBytes);
    if (exchange.reason !== "") {
      this.#context.metrics.refusals.with("outbound", exchange.reason).add();
    }
    const head = request.end > 0;
    accessLog.request({
      direction: "outbound",
      method: head ? request.methodText : "",
      path: head ? request.pathText : "",
      status,
      durationMs,
      requestBytes: requestBodyBytes,
      responseBytes: responseBodyBytes,
      source: this.#context.ownIdentity() ?? "",
      destination: this.#destination(),
      service: this.#service,
      upstream: this.#endpoint?.name ?? "",
      group: exchange.tries === 0 ? "" : exchange.group,
      tries: exchange.tries,
      reason: exchange.reason,
    });
  }

  closed(exchange: LiveRequest): void {
    this.#clearTimers();
    this.#requestTimer.stop();
    this.#tryTimer.stop();
    this.#context.onClosed(exchange);
  }

  /** Sets route and cluster, or replies and returns false. */
  #choose(exchange: LiveRequest): boolean {
    const upstreams = this.#upstreams;
    if (upstreams.kind === "endpoint") {
      this.#cluster = upstreams.cluster;
      return true;
    }
    this.#facts.exchange = exchange;
    const { routes } = upstreams.port;
    const route = matchRoute(routes, this.#facts);
    if (route === null) {
      exchange.reply(
        routes.length === 0 ? 503 : 404,
        routes.length === 0 ? "no_service" : "no_route",
      );
      return false;
    }
    this.#route = route;
    this.#cluster = route.canary.pick();
    if (this.#cluster !== null) return true;
    exchange.reply(500, "no_backend");
    return false;
  }

  #try(exchange: LiveRequest): void {
    const { clock, transport, chance } = this.#context;
    const upstreams = this.#upstreams;
    const endpoint =
      upstreams.kind === "endpoint"
        ? upstreams.endpoint
        : pickEndpoint(this.#cluster!.endpoints, this.#endpoint, clock.monotonic(), chance);
    if (endpoint === null) {
      exchange.reply(503, "no_endpoint");
      return;
    }
    this.#endpoint = endpoint;
    this.#trying = true;
    endpoint.activeRequests += 1;
    const timeoutMs = this.#route?.retry.perTryTimeoutMs ?? 0;
    if (timeoutMs > 0) this.#tryTimer.arm(timeoutMs);
    transport.open(endpoint, exchange);
  }

  #requestTimedOut(): void {
    this.#settle("timeout", true);
    this.#exchange!.reply(504, "request_timeout");
  }

  #tryTimedOut(): void {
    const exchange = this.#exchange!;
    if (exchange.responseStarted || this.#endpoint === null) return;
    this.#context.transport.forget(this.#endpoint, exchange);
    exchange.dropTry();
    exchange.onStreamFailed("try_timeout", true);
  }

  /** Counts how a try went; `failed` null: it says nothing about the endpoint. */
  #settle(outcome: string, failed: boolean | null): void {
    const endpoint = this.#endpoint;
    if (endpoint === null || !this.#trying) return;
    this.#release();
    const cluster = this.#cluster!;
    this.#countTry(cluster, outcome);
    if (failed === null) return;
    noteOutcome(endpoint, cluster.endpoints, failed, this.#context.clock.monotonic());
  }

  #countTry(cluster: ClusterState, outcome: string): void {
    if (this.#tryCell === null || this.#tryCluster !== cluster || this.#tryOutcome !== outcome) {
      this.#tryCell = this.#context.metrics.tries.with(this.#service, cluster.name, outcome);
      this.#tryCluster = cluster;
      this.#tryOutcome = outcome;
    }
    this.#tryCell.value += 1;
  }

  #release(): void {
    if (!this.#trying) return;
    this.#trying = false;
    this.#endpoint!.activeRequests -= 1;
  }

  #again(
    exchange: LiveRequest,
    status: number,
    failure: UpstreamFailure | null,
    sent: boolean,
  ): boolean {
    const policy = this.#route?.retry ?? defaultRetryPolicy;
    if (failure === null && !policy.codes.includes(status)) return false;
    const facts = {
      repeats: this.#repeats,
      idempotent: isIdempotent(exchange.method),
      sent,
      replayable: exchange.replayable,
      status,
      failure,
    };
    const verdict = decideRetry(policy, facts, this.#context.random());
    const { clock, metrics } = this.#context;
    if (verdict.kind === "stop") {
      if (verdict.reason !== "not_retriable") {
        metrics.retries.with(this.#service, verdict.reason).add();
      }
      return false;
    }
    if (!this.#budget.withdraw(clock.monotonic())) {
      metrics.retries.with(this.#service, "budget_exhausted").add();
      return false;
    }
    this.#repeats += 1;
    metrics.retries.with(this.#service, verdict.reason).add();
    this.#clearTry();
    this.#cancelRepeat = clock.after(verdict.afterMs, () => {
      this.#cancelRepeat = null;
      this.#try(exchange);
    });
    return true;
  }

  #clearTry(): void {
    this.#tryTimer.disarm();
    this.#cancelRepeat?.();
    this.#cancelRepeat = null;
  }

  #clearTimers(): void {
    this.#clearTry();
    this.#requestTimer.disarm();
  }

  /** What the endpoint proves; empty when none was reached. */
  #destination(): string {
    return this.#endpoint === null ? "" : (this.#endpoint.identity ?? "plaintext");
  }

  #cellsOf(): RequestCells {
    const destination = this.#destination();
    const cluster = this.#cluster;
    if (
      this.#cells !== null &&
      this.#cellsCluster === cluster &&
      this.#cellsIdentity === destination
    ) {
      return this.#cells;
    }
    const { cells, metrics } = this.#context;
    const backend = cluster?.name ?? "";
    const source = this.#context.ownIdentity() ?? "";
    const key = `${destination}|${this.#service}|${backend}`;
    let found = cells.get(key);
    if (found === undefined) {
      const service = this.#service;
      found = metrics.requestCells({
        direction: "outbound",
        source,
        destination,
        service,
        backend,
      });
      cells.set(key, found);
    }
    this.#cells = found;
    this.#cellsCluster = cluster;
    this.#cellsIdentity = destination;
    return found;
  }
}

const STATUS_CLASSES = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/** A request head as the routes look at it. */
class HeadFacts implements RouteFacts {
  exchange: LiveRequest | null = null;

  method(): string {
    return this.exchange!.request.methodText;
  }

  path(): string {
    return this.exchange!.request.pathText;
  }

  header(name: string): string | null {
    const { request } = this.exchange!;
    // As it is forwarded: a caller's spelling must not choose the route (attack case 53).
    return name === "host" ? request.host.normal : request.value(ascii(name));
  }
}
