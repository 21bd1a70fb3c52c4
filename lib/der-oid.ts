// Object identifiers as dotted text. Certificates name the same few again and again, so the text of each is
// made once and then found by its bytes.

interface Known {
  readonly content: Uint8Array;
  readonly text: string;
}

/** Texts that are kept. What comes when they are that many is read anew each time: slower, never wrong. */
const knownMax = 128;
const known = new Map<number, Known>();

/** Of canonical content `source` from `start` to `end`; null when an arc is beyond 2^53. */
export function objectIdentifierText(
  source: Uint8Array,
  start: number,
  end: number,
): string | null {
  let key = 0;
  for (let index = start; index < end; index += 1) key = (Math.imul(key, 31) + source[index]!) | 0;
  const found = known.get(key);
  if (found !== undefined && isSame(found.content, source, start, end)) return found.text;
  const text = readText(source, start, end);
  if (text !== null && found === undefined && known.size < knownMax) {
    known.set(key, { content: source.slice(start, end), text });
  }
  return text;
}

function isSame(content: Uint8Array, source: Uint8Array, start: number, end: number): boolean {
  if (content.length !== end - start) return false;
  for (let index = 0; index < content.length; index += 1) {
    if (content[index] !== source[start + index]) return false;
  }
  return true;
}

function readText(source: Uint8Array, start: number, end: number): string | null {
  let text = "";
  let arc = 0;
  for (let index = start; index < end; index += 1) {
    const byte = source[index]!;
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) return null;
    if (byte >= 0x80) continue;
    const first = arc < 80 ? Math.floor(arc / 40) : 2;
    text += text === "" ? `${first}.${arc - first * 40}` : `.${arc}`;
    arc = 0;
  }
  return text;
}
