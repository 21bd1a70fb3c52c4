// Which process is at the other end of a Unix socket: SO_PEERCRED, asked of the kernel, which noted it when
// the peer connected. Nothing that the peer sends can change it.
import type { Socket } from "node:net";
import { getSocketOption } from "./libc.ts";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid, gid, 4 bytes each. */
const UCRED_BYTES = 12;
/** What the kernel writes for a socket that nobody connected. */
const nobody = 0xff_ff_ff_ff;

export interface PeerCredentials {
  /** As this process sees it; 0: of another PID namespace, as the containers of a pod mostly are. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

const bytes = Buffer.alloc(UCRED_BYTES);

/** null when the kernel does not know. */
export function peerCredentials(socket: Socket): PeerCredentials | null {
  if (getSocketOption(socket, SOL_SOCKET, SO_PEERCRED, bytes) !== UCRED_BYTES) return null;
  const uid = bytes.readUInt32LE(4);
  if (uid === nobody) return null;
  return { pid: bytes.readInt32LE(0), uid, gid: bytes.readUInt32LE(8) };
}
