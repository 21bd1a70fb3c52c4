// A client of the Workload API that shares no code with the server but the generated messages: gRPC by hand
// over node:http2 on a Unix socket, so that tests can also say what no library would.
import http2 from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import net from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";

/** Numbers of gRPC, as the wire has them. */
export const status = {
  ok: 0,
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
} as const;

export interface Ended {
  /** -1: the connection broke without one. */
  readonly status: number;
  readonly message: string;
}

const header = { "workload.spiffe.io": "true" };
const service = "/SpiffeWorkloadAPI";

/** One call: its answers as they come, and how it ends. */
export class Call {
  readonly answers: Uint8Array[] = [];
  readonly ended: Promise<Ended>;
  /** Resolves when the server has begun to answer. */
  readonly begun: Promise<void>;
  readonly #stream: ClientHttp2Stream;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(stream: ClientHttp2Stream, message: Uint8Array) {
    this.#stream = stream;
    const { promise, resolve } = Promise.withResolvers<Ended>();
    this.ended = promise;
    this.begun = new Promise((resolveBegun) => stream.once("response", () => resolveBegun()));
    const told = (fields: http2.IncomingHttpHeaders): void => {
      if (fields["grpc-status"] === undefined) return;
      const text = String(fields["grpc-message"] ?? "");
      resolve({ status: Number(fields["grpc-status"]), message: decodeURIComponent(text) });
    };
    stream.on("response", told);
    stream.on("trailers", told);
    stream.on("data", (bytes: Buffer) => this.#take(bytes));
    stream.on("error", () => {});
    stream.on("close", () => resolve({ status: -1, message: `reset ${stream.rstCode}` }));
    stream.end(framed(message));
  }

  /** Waits for the answer number `count`, counted from 1, and decodes it. */
  async answer<Desc extends DescMessage>(schema: Desc, count = 1): Promise<MessageShape<Desc>> {
    while (this.answers.length < count) {
      const isOver = await Promise.race([this.ended, tick()]);
      if (isOver !== undefined && this.answers.length < count) {
        throw new Error(`It ended with ${isOver.status}: ${isOver.message}`);
      }
    }
    return fromBinary(schema, this.answers[count - 1]!);
  }

  cancel(): void {
    this.#stream.close(http2.constants.NGHTTP2_CANCEL);
  }

  #take(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length >= 5) {
      const end = 5 + this.#bytes.readUInt32BE(1);
      if (this.#bytes.length < end) return;
      this.answers.push(new Uint8Array(this.#bytes.subarray(5, end)));
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}

export class WorkloadClient implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly closed: Promise<void>;

  constructor(socketPath: string, settings: http2.Settings = {}) {
    this.#session = http2.connect("http://localhost", {
      settings,
      createConnection: () => net.connect(socketPath),
    });
    this.#session.on("error", () => {});
    this.closed = new Promise((resolve) => this.#session.once("close", resolve));
  }

  call(
    method: string,
    message: Uint8Array = new Uint8Array(),
    fields: http2.OutgoingHttpHeaders = header,
  ): Call {
    const stream = this.#session.request({
      ":method": "POST",
      ":path": `${service}/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...fields,
    });
    return new Call(stream, message);
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function tick(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, 5, undefined));
}
