// Request methods as small numbers. Methods are case-sensitive (RFC 9110 section 9.1).

export const METHOD = {
  /** A token that is none of the others; read it from the head. */
  other: 0,
  get: 1,
  head: 2,
  post: 3,
  put: 4,
  delete: 5,
  connect: 6,
  options: 7,
  trace: 8,
  patch: 9,
} as const;
export type MethodCode = (typeof METHOD)[keyof typeof METHOD];

export const METHOD_BYTES_MAX = 32;

const names: readonly string[] = Object.keys(METHOD).map((name) => name.toUpperCase());
const bytes: readonly Buffer[] = names.map((name) => Buffer.from(name, "latin1"));

// First and second letter together tell the known methods apart.
const candidates = new Uint8Array(32 * 32);
for (let code = 1; code < names.length; code += 1) {
  const shape = shapeOf(bytes[code]!, 0);
  if (candidates[shape] !== 0) throw new Error(`Two methods share a shape: "${names[code]}"`);
  candidates[shape] = code;
}

function shapeOf(buffer: Uint8Array, start: number): number {
  return ((buffer[start]! & 31) << 5) | (buffer[start + 1]! & 31);
}

/** The code of the method buffer[start, end). */
export function methodOf(buffer: Uint8Array, start: number, end: number): MethodCode {
  const length = end - start;
  if (length < 3) return METHOD.other;
  const candidate = candidates[shapeOf(buffer, start)]!;
  const name = bytes[candidate]!;
  if (candidate === 0 || name.length !== length) return METHOD.other;
  for (let index = 0; index < length; index += 1) {
    if (buffer[start + index] !== name[index]) return METHOD.other;
  }
  return candidate as MethodCode;
}

/** The name of a known method. */
export function methodName(code: MethodCode): string {
  return names[code]!;
}

/** Whether repeating the request changes nothing more (RFC 9110 section 9.2.2). */
export function isIdempotent(code: MethodCode): boolean {
  return (
    code !== METHOD.other &&
    code !== METHOD.post &&
    code !== METHOD.patch &&
    code !== METHOD.connect
  );
}
