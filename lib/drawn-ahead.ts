// Random bytes drawn many at a time: OpenSSL takes 3 us for a draw, however short. For what
// everybody is told, as serial numbers; never for keys, since what is drawn waits in memory.

/** Random bytes of this length, unpredictable. */
type RandomBytes = (length: number) => Uint8Array;

/** Drawn at once: 256 serial numbers. */
export const drawnBytes = 4096;

/** As `draw`, which is asked once for many. Nothing is told twice. */
export function drawAhead(draw: RandomBytes): RandomBytes {
  let drawn = new Uint8Array();
  let at = 0;
  return (length) => {
    if (length > drawnBytes) return draw(length);
    if (at + length > drawn.length) {
      drawn = Uint8Array.from(draw(drawnBytes));
      at = 0;
    }
    const start = at;
    at += length;
    const told = drawn.slice(start, at);
    drawn.fill(0, start, at);
    return told;
  };
}
