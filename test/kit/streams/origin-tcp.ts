// The part of the application that speaks nothing anybody knows: a caller's first line is what it wants, as
// JSON; all that follows is the stream.
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { BlockReader, sendBlocks } from "./blocks.ts";
import { note } from "./noted.ts";
import { banner } from "./ports.ts";
import { resumed } from "./stalled.ts";

export interface TcpOrder {
  readonly kind: "source" | "sink" | "stalled_sink" | "answer_after_end" | "end_first" | "echo";
  /** By which the server's notes are found. */
  readonly name: string;
  readonly bytes: number;
}

/** Sent as an answer to a caller that has ended its own side. */
export const lastWords: string = "last words ".repeat(6000);
/** Long enough for the end of one side to be seen before the other goes on. */
const pauseMs = 200;

export function createTcpOrigin(): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    let held = Buffer.alloc(0);
    const onData = (bytes: Buffer): void => {
      held = Buffer.concat([held, bytes]);
      const end = held.indexOf("\n");
      if (end < 0) return;
      socket.off("data", onData).pause();
      if (held.length > end + 1) socket.unshift(held.subarray(end + 1));
      const line = held.subarray(0, end).toString("latin1");
      if (line.startsWith("{")) serve(socket, JSON.parse(line) as TcpOrder).catch(() => {});
      else {
        note("foreign bytes", { line });
        socket.resetAndDestroy();
      }
    };
    socket.on("data", onData);
  });
}

/** Speaks first, and then repeats what it hears. */
export function createBannerOrigin(): Server {
  return createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.write(banner);
    socket.pipe(socket);
  });
}

async function serve(socket: Socket, { kind, name, bytes }: TcpOrder): Promise<void> {
  switch (kind) {
    case "echo":
      socket.pipe(socket);
      return;
    case "source":
      await sendBlocks(socket, bytes, (sent) => note(name, { sent }));
      socket.end();
      return;
    case "stalled_sink":
      await resumed(name);
      return readAndSay(socket);
    case "sink":
      return readAndSay(socket);
    case "answer_after_end":
      await new BlockReader().readAll(socket);
      await pause();
      socket.end(lastWords);
      return;
    case "end_first": {
      socket.end("first");
      const reader = await new BlockReader().readAll(socket);
      note(name, { received: reader.bytes, fault: reader.fault });
      return;
    }
    default:
      throw new Error(`Unknown order ${JSON.stringify(kind satisfies never)}`);
  }
}

/** Until the caller ends its side; then it is told how it went. */
async function readAndSay(socket: Socket): Promise<void> {
  const reader = await new BlockReader().readAll(socket);
  socket.end(JSON.stringify({ bytes: reader.bytes, fault: reader.fault }));
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pauseMs));
