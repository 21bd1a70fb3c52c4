// A TCP relay that tests cut, or silence: bytes are taken then and never passed on, as by a network that
// drops packets.
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Connections that stand, or ever stood. */
  readonly opened: () => number;
  /** Breaks every connection off. */
  drop(): void;
  /** Breaks every connection off, and takes none until `open`. */
  cut(): void;
  /** Holds back what comes from the server on the connections that stand. */
  silence(): void;
  open(): void;
}

export async function connectionThrough(target: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const servers = new Set<Socket>();
  let isCut = false;
  let opened = 0;
  const listener = createServer((near) => {
    if (isCut) {
      near.resetAndDestroy();
      return;
    }
    opened += 1;
    const far = connect(target, "127.0.0.1");
    servers.add(far);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        servers.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    opened: () => opened,
    drop,
    cut() {
      isCut = true;
      drop();
    },
    silence() {
      for (const far of servers) {
        far.unpipe();
        far.resume();
      }
    },
    open() {
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      drop();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
