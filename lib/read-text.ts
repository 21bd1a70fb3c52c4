// The text of a stream that somebody else sends: never more of it in memory than was agreed.

/** null: it has more than `bytesMax`. Rejects when the stream fails. */
export async function readText(
  stream: AsyncIterable<unknown>,
  bytesMax: number,
): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
