// Why an object of the world is not read; names the object, so that its writer can find it.
import { MeshError } from "#/lib/errors.ts";

/** unknown_kind: nothing the mesh looks at. object_invalid: one that it looks at and cannot read. */
export type DecodeErrorCode = "unknown_kind" | "object_invalid";

export class DecodeError extends MeshError<DecodeErrorCode> {
  readonly kind: string;
  /** As keyOfMeta; empty when not even that can be read. */
  readonly key: string;
  /** What is wrong, with its path, and nothing else. */
  readonly state: string;

  constructor(code: DecodeErrorCode, kind: string, key: string, state: string) {
    const subject = `${kind === "" ? "object" : kind} "${key}"`;
    super(code, `Cannot read ${subject}: ${state}`, {
      next: "Correct the named field; what was known before stays in force",
    });
    this.kind = kind;
    this.key = key;
    this.state = state;
  }
}
