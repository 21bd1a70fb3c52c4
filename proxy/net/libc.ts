// The C library, through node:ffi. The only file that calls native code but for lib/private-memory.ts; what it
// may call stands here.
import { dlopen } from "node:ffi";
import { Socket } from "node:net";

const { functions } = dlopen("libc.so.6", {
  getsockopt: { arguments: ["i32", "i32", "i32", "buffer", "buffer"], return: "i32" },
  send: { arguments: ["i32", "buffer", "u32", "i32"], return: "i32" },
  socketpair: { arguments: ["i32", "i32", "i32", "buffer"], return: "i32" },
});

/** Takes what there is room for, and neither waits nor raises SIGPIPE. */
const SEND_FLAGS = 0x40 | 0x4000;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;

// One for all calls: the call is synchronous.
const lengthBytes = Buffer.alloc(4);

/**
 * Fills `value` from a socket's option and tells how many bytes the kernel wrote; -1 when it has no such
 * option, or the handle is gone. About 1 us.
 */
export function getSocketOption(
  socket: Socket,
  level: number,
  option: number,
  value: Buffer,
): number {
  const descriptor = descriptorOf(socket);
  if (descriptor < 0) return -1;
  lengthBytes.writeUInt32LE(value.length);
  const failed = functions.getsockopt(descriptor, level, option, value, lengthBytes) !== 0;
  return failed ? -1 : lengthBytes.readUInt32LE();
}

/**
 * Gives `bytes` to the kernel, past the socket's own queue, which has to be empty: how many it took, 0 when it
 * has no room or the connection is gone.
 */
export function sendNow(socket: Socket, bytes: Buffer): number {
  const descriptor = descriptorOf(socket);
  if (descriptor < 0) return 0;
  return Math.max(0, functions.send(descriptor, bytes, bytes.length, SEND_FLAGS));
}

function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle: { fd?: number } | null };
  return handle?.fd ?? -1;
}

/** Two sockets of this process, each the other's peer; null when there are no descriptors left. */
export function socketPair(): readonly [Socket, Socket] | null {
  const descriptors = Buffer.alloc(8);
  if (functions.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, descriptors) !== 0) return null;
  const [one, other] = [descriptors.readInt32LE(0), descriptors.readInt32LE(4)];
  return [new Socket({ fd: one }), new Socket({ fd: other })];
}
