// Registers tests that need network namespaces. Without them such a test fails where CI is "true", and
// elsewhere is counted as skipped after one sentence that says what is missing: it never just passes.
import test from "ava";
import type { ExecutionContext } from "ava";
import { missingPrerequisite } from "./netns.ts";

/** A serial test of the namespace ring. `lacking`: what else this kernel does not have, which nobody can install. */
export function netnsTest(
  title: string,
  body: (t: ExecutionContext) => Promise<void>,
  lacking: string | null = null,
): void {
  const missing = missingPrerequisite() ?? lacking;
  if (missing === null) {
    test.serial(title, body);
  } else if (process.env["CI"] === "true" && missing !== lacking) {
    test.serial(title, (t) => t.fail(missing));
  } else {
    process.stderr.write(`Skipped "${title}": ${missing}\n`);
    test.serial.skip(title, body);
  }
}
