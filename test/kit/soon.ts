// The end of a certificate that ends while a test waits: certificates count in whole seconds.

/** Between `seconds` and one second more from now, in milliseconds since the Unix epoch. */
export function endsInSeconds(seconds: number): number {
  return (Math.ceil(Date.now() / 1000) + seconds) * 1000;
}

/** What is read on `socket` until it closes, and when that was by the wall clock. */
export function untilClosed(
  socket: NodeJS.ReadableStream & { destroy(): unknown },
): Promise<{ readonly atMs: number; readonly bytes: number }> {
  let bytes = 0;
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
    socket.once("close", () => resolve({ atMs: Date.now(), bytes }));
  });
}

/** Within a second after the end; two clocks differ by their granularity. */
export function nearEnd(atMs: number, notAfterMs: number): boolean {
  return atMs >= notAfterMs - 20 && atMs <= notAfterMs + 1000;
}
