// The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B). Strict: the end-of-string symbol,
// padding of more than 7 bits and padding that is not all ones are refused.

/**
 * Bits of the code of each byte and of the end-of-string symbol, one digit of base 36 each. The code
 * is canonical: codes in the order of their lengths, and of their bytes where these are equal, are
 * consecutive numbers. So the lengths are all there is to it.
 */
const LENGTHS =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq" +
  "u";
const SYMBOLS = 257;
const END_OF_STRING = 256;

const lengths = Uint8Array.from(LENGTHS, (digit) => Number.parseInt(digit, 36));
const codes = canonicalCodes();

// Four bits at a step: a code is at least 5 bits long, so a step ends at most one symbol. By whole
// bytes the table would have 256 KiB instead of 16, and fall out of the processor's first cache.
const STEP_BITS = 4;
const EMITS = 1 << 8;
const FAILS = 1 << 9;
const STATE_SHIFT = 16;

/** [state * 16 + four bits]: the next state << 16, what fails or is emitted, and the byte. */
const steps: Int32Array = new Int32Array(256 << STEP_BITS);
/** 1 where the bits since the last symbol are fewer than 8 and all ones. */
const mayEnd: Uint8Array = new Uint8Array(256);
buildSteps();

function canonicalCodes(): Uint32Array {
  const bySize = Array.from({ length: SYMBOLS }, (_, symbol) => symbol).sort(
    (a, b) => lengths[a]! - lengths[b]! || a - b,
  );
  const result = new Uint32Array(SYMBOLS);
  let code = 0;
  let size = 0;
  for (const symbol of bySize) {
    code *= 2 ** (lengths[symbol]! - size);
    size = lengths[symbol]!;
    result[symbol] = code;
    code += 1;
  }
  return result;
}

/** Every inner node of the code's tree is a state; there are 256 of them. */
function buildSteps(): void {
  // Children of node n at 2n and 2n + 1: another node, or minus (symbol + 1).
  const children: number[] = [0, 0];
  for (let symbol = 0; symbol < SYMBOLS; symbol += 1) {
    let node = 0;
    for (let bit = lengths[symbol]! - 1; bit >= 0; bit -= 1) {
      const side = node * 2 + ((codes[symbol]! >>> bit) & 1);
      if (bit === 0) children[side] = -(symbol + 1);
      else if (children[side] === 0) {
        children[side] = children.length / 2;
        children.push(0, 0);
      }
      node = children[side]!;
    }
  }
  let node = 0;
  for (let depth = 0; depth < 8; depth += 1, node = children[node * 2 + 1]!) mayEnd[node] = 1;
  for (let state = 0; state < children.length / 2; state += 1) {
    for (let bits = 0; bits < 1 << STEP_BITS; bits += 1) {
      let at = state;
      let told = 0;
      for (let bit = STEP_BITS - 1; bit >= 0 && told !== FAILS; bit -= 1) {
        at = children[at * 2 + ((bits >>> bit) & 1)]!;
        if (at < 0) {
          const symbol = -at - 1;
          told = symbol === END_OF_STRING ? FAILS : EMITS | symbol;
          at = 0;
        }
      }
      steps[(state << STEP_BITS) | bits] = (at << STATE_SHIFT) | told;
    }
  }
}

/** At most so many bytes come of `count` coded ones. */
export function decodedBytesMax(count: number): number {
  return Math.ceil((count * 8) / 5);
}

/**
 * Decodes source[start, end) to target[at, ...), which has room for decodedBytesMax. Returns the offset
 * after the last byte, or -1 where the code is broken.
 */
export function decodeHuffman(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  let state = 0;
  let to = at;
  for (let from = start; from < end; from += 1) {
    const byte = source[from]!;
    const high = steps[(state << STEP_BITS) | (byte >>> STEP_BITS)]!;
    if ((high & EMITS) !== 0) {
      target[to] = high;
      to += 1;
    }
    const low = steps[((high >>> STATE_SHIFT) << STEP_BITS) | (byte & 15)]!;
    if ((low & EMITS) !== 0) {
      target[to] = low;
      to += 1;
    }
    if (((high | low) & FAILS) !== 0) return -1;
    state = low >>> STATE_SHIFT;
  }
  return mayEnd[state] === 1 ? to : -1;
}

/** Bytes that encodeHuffman makes of source[start, end). */
export function huffmanBytes(source: Uint8Array, start: number, end: number): number {
  let bits = 0;
  for (let at = start; at < end; at += 1) bits += lengths[source[at]!]!;
  return (bits + 7) >>> 3;
}

/** Encodes source[start, end) to target[at, ...). Returns the offset after the last byte. */
export function encodeHuffman(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  // The bits not written yet lie in `held`, fewer than 8 between symbols. 7 and 30 more are too many
  // for 32, so a long code goes in two parts.
  let held = 0;
  let count = 0;
  let to = at;
  for (let from = start; from < end; from += 1) {
    const symbol = source[from]!;
    let size = lengths[symbol]!;
    const code = codes[symbol]!;
    if (size > 24) {
      size -= 16;
      held = (held << size) | (code >>> 16);
      count += size;
      while (count >= 8) {
        count -= 8;
        target[to] = held >>> count;
        to += 1;
      }
      size = 16;
    }
    held = (held << size) | (code & (2 ** size - 1));
    count += size;
    while (count >= 8) {
      count -= 8;
      target[to] = held >>> count;
      to += 1;
    }
  }
  if (count > 0) {
    target[to] = (held << (8 - count)) | (0xff >>> count);
    to += 1;
  }
  return to;
}
