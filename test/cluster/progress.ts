// Says what goes on: whatever takes longer than a second has a line when it ends, and one every ten
// seconds while it lasts.

const heartbeatMs = 10_000;
const worthTellingMs = 1000;

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const seconds = (): string => ((performance.now() - started) / 1000).toFixed(1);
  const first = setTimeout(() => say(`- ${title} ...`), worthTellingMs);
  const heartbeat = setInterval(() => say(`  ${title}: still at it, ${seconds()} s`), heartbeatMs);
  try {
    const result = await work();
    if (performance.now() - started > worthTellingMs) say(`  ${title}: ${seconds()} s`);
    return result;
  } finally {
    clearTimeout(first);
    clearInterval(heartbeat);
  }
}
