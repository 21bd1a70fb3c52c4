// What no honest log does.

/** A log that is not what it was, grown. */
export class LogFault extends Error {
  override readonly name = "LogFault";
  /** Signed notes that cannot both be true; empty when it is not about two of them. */
  readonly evidence: readonly string[];

  constructor(message: string, evidence: readonly string[] = []) {
    super(message);
    this.evidence = evidence;
  }
}
