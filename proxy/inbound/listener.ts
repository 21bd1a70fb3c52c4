// Accepts what comes to the pod (redirected to 4000): original destination -> first bytes -> TLS accept
// -> peer identity -> verdict -> lease -> HTTP or TCP to the application. Not one byte reaches the
// application before the verdict.
import type { Socket } from "node:net";
import { modeOfPort } from "#/api/policy.ts";
import type { SpiffeId } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";
import { normalizeIp } from "#/lib/ip.ts";
import type { Log } from "#/lib/log.ts";
import type { Watch } from "#/lib/watch.ts";
import { DETECT_BYTES_MAX, detectProtocol } from "../detect/protocol.ts";
import type { DetectedProtocol } from "../detect/protocol.ts";
import type { Deadlines } from "../net/deadline.ts";
import { peekFirstBytes } from "../net/first-bytes.ts";
import { originalDestination } from "../net/original-destination.ts";
import type { Destination } from "../net/original-destination.ts";
import { reset } from "../net/reset.ts";
import { overloaded } from "../overload/gate.ts";
import type { Target } from "../stream/transport.ts";
import { TlsAcceptor } from "../tls/accept.ts";
import type { AcceptedTls } from "../tls/accept.ts";
import { alpnHttp1 } from "../tls/credentials.ts";
import type { Credentials } from "../tls/credentials.ts";
import { connectionLife } from "../tls/lifetime.ts";
import type { ConnectionLife } from "../tls/lifetime.ts";
import { authorize } from "./authorize.ts";
import type { InboundRules } from "./authorize.ts";
import { InboundConnection } from "./connection.ts";
import type { InboundProtocol } from "./connection.ts";
import type { InboundContext } from "./dispatcher.ts";
import { Leases } from "./leases.ts";

/** A caller that says nothing for so long is taken for one whose server speaks first. */
export const detectDeadlineMs = 1_000;

export interface InboundOptions extends InboundContext {
  readonly deadlines: Deadlines;
  /** null: not told yet, nothing may pass. */
  readonly rules: Watch<InboundRules | null>;
  readonly credentials: Watch<Credentials | null>;
  /** This pod's identity. */
  readonly own: SpiffeId;
  readonly ownAddresses: readonly string[];
  /** The sidecar's own: never an application's. */
  readonly ownPorts: readonly number[];
  readonly opaquePorts: ReadonlySet<number>;
  readonly log: Log;
}

interface Known {
  readonly identity: SpiffeId | null;
  readonly group: string;
  readonly life: ConnectionLife | null;
  readonly destination: string;
}

export class InboundSide {
  readonly #options: InboundOptions;
  readonly #acceptor: TlsAcceptor;
  readonly #leases: Leases;
  readonly #live = new Set<InboundConnection>();
  readonly #targets = new Map<string, Target>();
  readonly #ownAddresses: ReadonlySet<string>;
  readonly #ownPorts: ReadonlySet<number>;

  constructor(options: InboundOptions) {
    this.#options = options;
    this.#acceptor = new TlsAcceptor(options.credentials, options.clock);
    this.#leases = new Leases(options.own);
    this.#ownAddresses = new Set(options.ownAddresses);
    this.#ownPorts = new Set(options.ownPorts);
    options.rules.onChange((rules) => {
      const revoked = this.#leases.judge(rules);
      if (revoked > 0) options.log.info("new rules closed connections", { count: revoked });
    });
  }

  get liveConnections(): number {
    return this.#live.size;
  }

  /** Never throws: a fault ends this connection only. */
  accept(socket: Socket): void {
    try {
      this.#accept(socket);
    } catch (error) {
      this.#options.log.error("inbound connection failed", { reason: messageOf(error) });
      socket.destroy();
    }
  }

  drain(): void {
    for (const connection of this.#live) connection.drain();
  }

  cutAll(): void {
    for (const connection of this.#live) connection.cut();
  }

  #accept(socket: Socket): void {
    const destination = originalDestination(socket);
    if (destination === null) return this.#refuse(socket, "not_redirected");
    if (this.#ownPorts.has(destination.port)) return this.#refuse(socket, "own_port");
    if (!this.#ownAddresses.has(destination.address)) {
      return this.#refuse(socket, "foreign_destination");
    }
    const rules = this.#options.rules.get();
    if (rules === null) return this.#refuse(socket, "no_policy");
    const strict = modeOfPort(rules.policy, destination.port) === "strict";
    peekFirstBytes<DetectedProtocol>({
      socket,
      clock: this.#options.clock,
      deadlineMs: detectDeadlineMs,
      bytesMax: DETECT_BYTES_MAX,
      classify: detectProtocol,
      onVerdict: (detected) => this.#detected(socket, destination, detected),
      onSilence: (count) => {
        // Half a ClientHello is no reason to let anybody through: plaintext rules hold for silence, too.
        if (strict)
          this.#refuse(socket, count === 0 ? "silent_under_strict" : "plaintext_under_strict");
        else this.#plaintext(socket, destination, false);
      },
      onClosed: () => {},
    });
  }

  #detected(socket: Socket, destination: Destination, detected: DetectedProtocol): void {
    if (detected.kind === "malformed_tls") return this.#refuse(socket, detected.kind);
    if (detected.kind === "tls" && detected.mesh) {
      // A handshake costs as much as some forty requests, and a caller that is reset before it goes elsewhere.
      if (!this.#options.gate.admits()) return this.#shed(socket);
      this.#acceptor.accept(
        socket,
        detected.groups,
        (accepted) => this.#secured(accepted, destination),
        (reason, detail) => {
          this.#count(reason);
          this.#options.log.warn("caller refused", { reason, detail });
        },
      );
      return;
    }
    this.#plaintext(socket, destination, detected.kind === "http1");
  }

  #plaintext(socket: Socket, destination: Destination, http: boolean): void {
    const own = this.#options.credentials.get()?.id ?? "";
    const tcp = this.#tcpOn(destination);
    this.#judge(socket, destination, http && tcp === "unclear" ? "http" : tcp, {
      identity: null,
      group: "",
      life: null,
      destination: own,
    });
  }

  #secured({ socket, credentials, alpn, peer }: AcceptedTls, destination: Destination): void {
    const { clock, metrics } = this.#options;
    const { id, notAfter, version, group } = peer;
    metrics.connections.with("inbound", id, credentials.id, "mtls", version, group).add();
    this.#judge(socket, destination, alpn === alpnHttp1 ? "http" : this.#tcpOn(destination), {
      identity: id,
      group,
      life: connectionLife(clock.now(), credentials.notAfter, notAfter),
      destination: credentials.id,
    });
  }

  /** What the pod declared, never what a caller says, decides whether bytes go unread. */
  #tcpOn({ port }: Destination): InboundProtocol {
    return this.#options.opaquePorts.has(port) ? "tcp" : "unclear";
  }

  /** The verdict and, when it allows, the lease. The rules are read here, after everything is known. */
  #judge(socket: Socket, where: Destination, protocol: InboundProtocol, known: Known): void {
    const { rules, own, deadlines } = this.#options;
    const claim = { port: where.port, identity: known.identity, group: known.group };
    const verdict = authorize(rules.get(), claim, own);
    if (verdict.kind === "deny") return this.#refuse(socket, verdict.reason);
    // HTTP is told so by an answer, request by request.
    if (protocol !== "http" && !this.#options.gate.admits()) return this.#shed(socket);
    if (known.identity === null) {
      this.#options.metrics.connections
        .with("inbound", "plaintext", known.destination, "plaintext", "", "")
        .add();
    }
    const connection = new InboundConnection({
      context: this.#options,
      deadlines,
      socket,
      claim,
      target: this.#target(where),
      protocol,
      destination: known.destination,
      life: known.life,
      onClosed: (closed) => {
        this.#live.delete(closed);
        this.#leases.remove(closed);
        this.#gauge();
      },
    });
    this.#live.add(connection);
    this.#leases.add(connection);
    this.#gauge();
  }

  /** The pod's own address, never loopback: what an application binds to 127.0.0.1 stays private. */
  #target({ address, port }: Destination): Target {
    const key = `${address}|${port}`;
    let target = this.#targets.get(key);
    if (target === undefined) {
      target = { address, port };
      this.#targets.set(key, target);
    }
    return target;
  }

  #refuse(socket: Socket, reason: string): void {
    this.#count(reason);
    this.#options.log.warn("inbound connection refused", {
      "src.addr": normalizeIp(socket.remoteAddress ?? ""),
      reason,
    });
    reset(socket);
  }

  /** Without a line in the log: there would be one for each connection, at the worst of times. */
  #shed(socket: Socket): void {
    this.#count(overloaded);
    reset(socket);
  }

  #count(reason: string): void {
    this.#options.metrics.refusals.with("inbound", reason).add();
  }

  #gauge(): void {
    this.#options.metrics.connectionsOpen.with("inbound").set(this.#live.size);
  }
}
