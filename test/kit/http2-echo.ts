// A small HTTP/2 server on our codec: answers each request, once it is complete, with what its path asks for.
//
//   /         a line of text        /echo     the request's content, as it comes
//   /N        N bytes               /trailers a line of text, and trailers
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import type { ConnectionOptions } from "#/http/http2/connection.ts";
import type { FieldBlock } from "#/http/http2/field-block.ts";
import { fieldLine } from "#/http/http2/field-line.ts";
import { defaultConnectionLimits } from "#/http/http2/limits.ts";
import type { ConnectionLimits } from "#/http/http2/limits.ts";
import type { RequestFields } from "#/http/http2/request-fields.ts";
import type { Http2Stream, StreamListener } from "#/http/http2/stream.ts";
import { Http2Shell } from "./http2-shell.ts";

const TEXT = Buffer.from("Fifty-four bytes of text, and a line feed at the end.\n", "latin1");
const NO_BYTES = Buffer.alloc(0);
const contentType = fieldLine("content-type", "text/plain");
const trailer = fieldLine("x-checksum", "0");
const STATUS_200 = 8;

class Answer implements StreamListener {
  readonly #path: string;
  #unsent = 0;

  constructor(path: string) {
    this.#path = path;
  }

  begin(stream: Http2Stream, last: boolean): void {
    if (this.#path === "/echo") this.#head(stream, last);
    else if (last) this.#answer(stream);
  }

  onResponse(): void {}

  onData(stream: Http2Stream, bytes: Buffer, last: boolean): void {
    if (this.#path === "/echo") {
      if (stream.send(bytes, last)) stream.release(bytes.length);
      else this.#unsent += bytes.length;
      return;
    }
    stream.release(bytes.length);
    if (last) this.#answer(stream);
  }

  onTrailers(stream: Http2Stream, _fields: FieldBlock): void {
    if (this.#path === "/echo") stream.send(NO_BYTES, true);
    else this.#answer(stream);
  }

  onDrain(stream: Http2Stream): void {
    stream.release(this.#unsent);
    this.#unsent = 0;
  }

  onReset(): void {}

  #head(stream: Http2Stream, last: boolean): void {
    const head = stream.openHead();
    if (head === null) return;
    head.indexed(STATUS_200);
    head.line(contentType);
    stream.respond(last);
  }

  #answer(stream: Http2Stream): void {
    const count = Number(this.#path.slice(1));
    this.#head(stream, false);
    if (this.#path === "/trailers") {
      stream.send(TEXT, false);
      const trailers = stream.openTrailers();
      trailers?.line(trailer);
      if (trailers !== null) stream.sendTrailers();
    } else stream.send(count > 0 ? Buffer.alloc(count, "x") : TEXT, true);
  }
}

export function answerRequest(stream: Http2Stream, request: RequestFields, last: boolean): void {
  const answer = new Answer(request.pathText);
  stream.listener = answer;
  answer.begin(stream, last);
}

export interface EchoServer extends AsyncDisposable {
  readonly port: number;
  readonly shells: readonly Http2Shell[];
}

/** Listens on a free port of loopback. */
export async function echoServer(limits: Partial<ConnectionLimits> = {}): Promise<EchoServer> {
  const options: ConnectionOptions = {
    role: "server",
    limits: { ...defaultConnectionLimits, ...limits },
    connectProtocol: true,
  };
  const shells: Http2Shell[] = [];
  const server: Server = createServer((socket) => {
    shells.push(new Http2Shell(socket, options, answerRequest));
    socket.on("close", () => sockets.delete(socket));
    sockets.add(socket);
  });
  const sockets = new Set<{ destroy(): unknown }>();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    shells,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
