// Reads what tcpdump wrote: TCP segments with both addresses and their payload. Pure; the format is
// the classic pcap file (both byte orders, microseconds and nanoseconds), IPv4 and IPv6.
import { MeshError } from "#/lib/errors.ts";

export class CaptureError extends MeshError<"capture_invalid"> {}

export interface Segment {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** TCP sequence number of the payload's first byte. */
  readonly sequence: number;
  readonly payload: Buffer;
}

const GLOBAL_HEADER_BYTES = 24;
const PACKET_HEADER_BYTES = 16;
const PACKET_BYTES_MAX = 1024 * 1024;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Link layer -> bytes before the network layer, and where its two-byte protocol stands. */
const linkLayers: Readonly<
  Record<number, { readonly bytes: number; readonly protocolAt: number }>
> = {
  1: { bytes: 14, protocolAt: 12 },
  113: { bytes: 16, protocolAt: 14 },
  276: { bytes: 20, protocolAt: 0 },
};
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const PROTOCOL_TCP = 6;

/** A packet that is cut off at the end of the file is left out; anything else that is odd throws. */
export function readCapture(file: Buffer): Segment[] {
  if (file.length < GLOBAL_HEADER_BYTES) throw fault("it has no header");
  const isLittle = isMagic(file.readUInt32LE(0));
  if (!isLittle && !isMagic(file.readUInt32BE(0))) throw fault("it is no pcap file");
  const read32 = (offset: number): number =>
    isLittle ? file.readUInt32LE(offset) : file.readUInt32BE(offset);
  const linkType = read32(20) & 0xffff;
  const link = linkLayers[linkType];
  if (link === undefined) throw fault(`link type ${linkType} is not known`);
  const segments: Segment[] = [];
  let offset = GLOBAL_HEADER_BYTES;
  while (offset + PACKET_HEADER_BYTES <= file.length) {
    const bytes = read32(offset + 8);
    if (bytes > PACKET_BYTES_MAX) throw fault(`a packet claims ${bytes} bytes`);
    const start = offset + PACKET_HEADER_BYTES;
    if (start + bytes > file.length) break;
    const segment = readFrame(file.subarray(start, start + bytes), link);
    if (segment !== null) segments.push(segment);
    offset = start + bytes;
  }
  return segments;
}

/**
 * What each direction of each connection said, put together by sequence numbers: a packet that was
 * seen on two links, or sent twice, counts once. What came before the capture began is not there.
 */
export function flows(segments: readonly Segment[]): readonly Flow[] {
  const all = new Map<string, Segment[]>();
  for (const segment of segments) {
    if (segment.payload.length === 0) continue;
    const { source, sourcePort, destination, destinationPort } = segment;
    const key = `${source} ${sourcePort} ${destination} ${destinationPort}`;
    const list = all.get(key);
    if (list === undefined) all.set(key, [segment]);
    else list.push(segment);
  }
  return [...all.values()].map(assemble);
}

export interface Flow {
  readonly bytes: Buffer;
  /** Packets with something to say, each counted once. */
  readonly packets: readonly Buffer[];
}

function assemble(segments: readonly Segment[]): Flow {
  const first = segments[0]!.sequence;
  // Sequence numbers wrap at 2^32: only differences mean something, and those are signed.
  const offset = ({ sequence }: Segment): number => (sequence - first) | 0;
  const ordered = segments.toSorted((one, other) => offset(one) - offset(other));
  const packets: Buffer[] = [];
  let end = -Infinity;
  for (const segment of ordered) {
    const from = Math.max(0, end - offset(segment));
    if (from >= segment.payload.length) continue;
    packets.push(segment.payload.subarray(from));
    end = offset(segment) + segment.payload.length;
  }
  return { bytes: Buffer.concat(packets), packets };
}

const TLS_RECORD_HEADER_BYTES = 5;
const TLS_RECORD_BYTES_MAX = 2 ** 14 + 256;
/** change_cipher_spec, alert, handshake, application_data (RFC 8446 section 5.1). */
const TLS_TYPES: ReadonlySet<number> = new Set([20, 21, 22, 23]);

/** True when the bytes are TLS records one after the other, the last one perhaps cut off. */
export function isTls(bytes: Buffer): boolean {
  let offset = 0;
  while (offset + TLS_RECORD_HEADER_BYTES <= bytes.length) {
    const length = bytes.readUInt16BE(offset + 3);
    const isRecord = TLS_TYPES.has(bytes[offset]!) && bytes[offset + 1] === 3;
    if (!isRecord || length > TLS_RECORD_BYTES_MAX) return false;
    offset += TLS_RECORD_HEADER_BYTES + length;
  }
  return bytes.length > 0;
}

function isMagic(value: number): boolean {
  return value === MAGIC_MICROSECONDS || value === MAGIC_NANOSECONDS;
}

function readFrame(
  frame: Buffer,
  link: { readonly bytes: number; readonly protocolAt: number },
): Segment | null {
  if (frame.length < link.bytes) return null;
  const protocol = frame.readUInt16BE(link.protocolAt);
  const packet = frame.subarray(link.bytes);
  if (protocol === ETHERTYPE_IPV4) return readIpv4(packet);
  return protocol === ETHERTYPE_IPV6 ? readIpv6(packet) : null;
}

function readIpv4(packet: Buffer): Segment | null {
  if (packet.length < 20) return null;
  const headerBytes = (packet[0]! & 0x0f) * 4;
  const totalBytes = packet.readUInt16BE(2);
  if (packet[9] !== PROTOCOL_TCP || headerBytes < 20) return null;
  const address = (at: number): string => [...packet.subarray(at, at + 4)].join(".");
  // Large segments that the kernel offloads say 0: all that was captured is theirs.
  const end = totalBytes === 0 ? packet.length : Math.min(totalBytes, packet.length);
  return readTcp(packet.subarray(headerBytes, end), address(12), address(16));
}

function readIpv6(packet: Buffer): Segment | null {
  if (packet.length < 40 || packet[6] !== PROTOCOL_TCP) return null;
  const payloadBytes = packet.readUInt16BE(4);
  const end = payloadBytes === 0 ? packet.length : Math.min(40 + payloadBytes, packet.length);
  const address = (at: number): string => ipv6Text(packet.subarray(at, at + 16));
  return readTcp(packet.subarray(40, end), address(8), address(24));
}

function readTcp(segment: Buffer, source: string, destination: string): Segment | null {
  if (segment.length < 20) return null;
  const headerBytes = (segment[12]! >> 4) * 4;
  return {
    source,
    destination,
    sourcePort: segment.readUInt16BE(0),
    destinationPort: segment.readUInt16BE(2),
    sequence: segment.readUInt32BE(4),
    payload: segment.subarray(Math.min(headerBytes, segment.length)),
  };
}

/** Eight groups, nothing shortened: only compared and shown. */
function ipv6Text(bytes: Buffer): string {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16));
  return groups.join(":");
}

function fault(state: string): CaptureError {
  return new CaptureError("capture_invalid", `Cannot read the packet capture: ${state}`, {
    next: "Run tcpdump by hand to see what it says",
  });
}
