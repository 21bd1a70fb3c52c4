// A header line that is written often and made once: what a sidecar adds to the messages of others.
import { kindOf } from "./field-kind.ts";
import { nextLine } from "./line-number.ts";
import { staticNameOf } from "./name-index.ts";

export interface FieldLine {
  /** The name in lower case, then the value. */
  readonly bytes: Buffer;
  readonly nameEnd: number;
  readonly kind: number;
  readonly staticName: number;
  readonly line: number;
}

/** `name` in lower case. The caller answers for both parts being allowed in a field. */
export function fieldLine(name: string, value: string): FieldLine {
  const bytes = Buffer.from(name + value, "latin1");
  const nameEnd = name.length;
  return {
    bytes,
    nameEnd,
    kind: kindOf(bytes, 0, nameEnd),
    staticName: staticNameOf(bytes, 0, nameEnd),
    line: nextLine(),
  };
}
