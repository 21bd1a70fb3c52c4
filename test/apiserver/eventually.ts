// Waits for what a cluster does in its own time.

/** Rejects with what `state` says when it does not come true in time. */
export async function eventually(
  test: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
  state: () => string = () => "",
): Promise<void> {
  const endsAt = performance.now() + timeoutMs;
  while (!(await test())) {
    if (performance.now() > endsAt) throw new Error(`Not true in ${timeoutMs} ms: ${state()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
