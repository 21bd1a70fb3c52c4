// Programmer errors: an assertion that fails ends the process; it is never caught to carry on.

/** Throws when `condition` is false. Stays on in production; `message` states the broken rule. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`Assertion failed: ${message}`);
}

/** The last arm of a switch over a closed union: does not compile while a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`Assertion failed: unexpected ${JSON.stringify(value)}`);
}
