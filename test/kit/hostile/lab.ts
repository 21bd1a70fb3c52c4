// An origin behind sidecars, attacked in two ways: by a member of the mesh that speaks to the inbound
// sidecar itself, all in one write, and by an application through both sidecars, cut in pieces.
import type { Socket } from "node:net";
import type { Route } from "#/api/discovery.ts";
import { BODY } from "#/http/http1/framing.ts";
import { METHOD } from "#/http/http1/method.ts";
import { ResponseHead } from "#/http/http1/response-head.ts";
import { compileRoute } from "#/proxy/outbound/route.ts";
import { Body } from "#/proxy/stream/body.ts";
import { alpnHttp1 } from "#/proxy/tls/credentials.ts";
import { MeshPair, ask, endpointOf, idOf } from "../mesh-pair.ts";
import type { InboundHalf } from "../mesh-pair.ts";

export const surfaces = ["member", "application"] as const;
export type Surface = (typeof surfaces)[number];

export interface Answer {
  readonly status: number;
  /** One character for each byte. */
  readonly body: string;
}

export interface Attempt {
  /** Final ones, in order. */
  readonly answers: readonly Answer[];
  /** The other end closed the connection. */
  readonly closed: boolean;
  /** What came is no answer, or more than the answers that were waited for. */
  readonly unread: string;
}

export interface Awaited {
  /** Methods of the requests that are to be answered, in order; null: whatever was asked, a refusal. */
  readonly methods: readonly (string | null)[];
  readonly closes: boolean;
}

/** Of the other end; longer than anything takes. */
const silenceMsMax = 20_000;
/** Between pieces, so that each is read by itself. */
const pieceMs = 1;
/** For what must not come. */
const lateMs = 3;

export class HostileLab implements AsyncDisposable {
  /** What the inbound sidecar tells the origin of its caller. */
  readonly identity: string;
  readonly #pair: MeshPair;
  readonly #half: InboundHalf;
  readonly #outbound: number;
  readonly #good = new Map<Surface, Socket>();
  #asked = 0;

  private constructor(pair: MeshPair, half: InboundHalf, outbound: number) {
    this.#pair = pair;
    this.#half = half;
    this.#outbound = outbound;
    this.identity = `By=${half.id};URI=${idOf("a")}`;
  }

  /** `app`: the port of a server, or what serves. `prefix`: the outbound side has a route for it alone. */
  static async create(
    app: ((socket: Socket) => void) | number,
    prefix: string | null = null,
  ): Promise<HostileLab> {
    const pair = await MeshPair.create();
    const half = await pair.addInbound("origin", app);
    const cluster = { name: "origin", endpoints: [endpointOf(half.id, half.port)] };
    const path = prefix === null ? null : ({ kind: "prefix", value: prefix } as const);
    const route: Route = {
      name: "origin",
      matches: path === null ? [] : [{ path, method: null, headers: [] }],
      backends: [{ cluster: cluster.name, weight: 1 }],
      retry: null,
      requestTimeoutMs: 0,
    };
    const routes = [compileRoute(route, () => cluster, null)];
    const port = { service: "origin/origin", port: 80, protocol: "http", routes } as const;
    return new HostileLab(pair, half, await pair.addOutbound({ kind: "service", port }, "http"));
  }

  async attempt(surface: Surface, bytes: Buffer, awaited: Awaited): Promise<Attempt> {
    const socket = await this.#connect(surface);
    const reading = new Reading(socket, awaited);
    const pieces = surface === "member" ? [bytes] : piecesOf(bytes);
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await new Promise((resolve) => setTimeout(resolve, pieceMs));
      if (!socket.destroyed) socket.write(piece);
    }
    await reading.done;
    socket.destroy();
    return reading.attempt();
  }

  /** A good request, on a connection of somebody else: what it was answered. */
  async askGood(surface: Surface): Promise<{ readonly target: string; readonly text: string }> {
    let socket = this.#good.get(surface);
    // Unused for longer than the sidecar keeps it, while the other surface was tried, it has been ended.
    if (socket === undefined || socket.readableEnded || !socket.writable) {
      socket = await this.#connect(surface);
      this.#good.set(surface, socket);
    }
    this.#asked += 1;
    const target = `/public/good/${this.#asked}`;
    return { target, text: await ask(socket, `GET ${target} HTTP/1.1\r\nHost: b\r\n\r\n`) };
  }

  /** What the inbound sidecar counts as refused or failed. */
  refusals(): readonly string[] {
    const lines = this.#half.metrics.registry.expose().split("\n");
    return lines.filter((line) => line.startsWith("signet_proxy_refusals_total{"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#good.values()) socket.destroy();
    await this.#pair[Symbol.asyncDispose]();
  }

  async #connect(surface: Surface): Promise<Socket> {
    if (surface === "member") return this.#pair.connectAsMember(this.#half, alpnHttp1);
    return this.#pair.connect(this.#outbound);
  }
}

/** The head and what follows it, and that in two. */
function piecesOf(bytes: Buffer): readonly Buffer[] {
  const blank = bytes.indexOf("\r\n\r\n");
  const headEnd = blank < 0 ? Math.ceil(bytes.length / 2) : blank + 4;
  const middle = Math.ceil((headEnd + bytes.length) / 2);
  const pieces = [
    bytes.subarray(0, headEnd),
    bytes.subarray(headEnd, middle),
    bytes.subarray(middle),
  ];
  return pieces.filter((piece) => piece.length > 0);
}

/** Reads answers until all that are waited for came, or the connection ended. */
class Reading {
  readonly done: Promise<void>;
  readonly #awaited: Awaited;
  readonly #answers: Answer[] = [];
  readonly #head = new ResponseHead();
  #held = Buffer.alloc(0);
  #closed = false;
  #settle: () => void = () => {};

  constructor(socket: Socket, awaited: Awaited) {
    this.#awaited = awaited;
    this.done = new Promise((resolve) => (this.#settle = resolve));
    const late = setTimeout(this.#settle, silenceMsMax);
    void this.done.then(() => clearTimeout(late));
    socket.on("data", (bytes: Buffer) => {
      this.#held = Buffer.concat([this.#held, bytes]);
      while (this.#take());
      this.#look();
    });
    const ended = (): void => {
      this.#closed = true;
      while (this.#held.length > 0 && this.#take());
      this.#settle();
    };
    socket.on("end", ended);
    socket.on("close", ended);
    socket.on("error", () => {});
    this.#look();
  }

  attempt(): Attempt {
    const unread = this.#held.toString("latin1");
    return { answers: this.#answers, closed: this.#closed, unread };
  }

  /** One message off what is held; false when there is none whole. */
  #take(): boolean {
    const method = this.#awaited.methods[this.#answers.length] ?? "GET";
    const held = this.#held;
    const head = this.#head;
    head.reset(method === "HEAD" ? METHOD.head : METHOD.get, false);
    const start = head.parse(held, 0, held.length);
    if (start < 0) return false;
    let content = "";
    const body = new Body((buffer, from, to) => {
      content += buffer.toString("latin1", from, to);
    });
    body.begin(head.bodyKind, head.contentLength);
    const end = body.take(held, start);
    if (end < 0 || !(body.complete || (head.bodyKind === BODY.close && this.#closed))) return false;
    this.#held = held.subarray(end);
    if (!head.interim) this.#answers.push({ status: head.status, body: content });
    return true;
  }

  #look(): void {
    const { methods, closes } = this.#awaited;
    if (this.#answers.length < methods.length || closes) return;
    setTimeout(this.#settle, lateMs);
  }
}
