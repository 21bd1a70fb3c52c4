// Operating errors: what the world does to us. Each kind has a closed union of codes, so a switch
// over `error.code` narrows, and logs, metrics and `signet explain` can share the same words.

/** Anything that can be told to a person: what failed (`message`), and what to do next (`next`). */
export class MeshError<Code extends string = string> extends Error {
  readonly code: Code;
  /** One sentence for the person who must mend it; empty when there is nothing to do. */
  readonly next: string;

  constructor(code: Code, message: string, options: { cause?: unknown; next?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.next = options.next ?? "";
  }
}

/** The message of anything that was thrown, without ever throwing itself. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
