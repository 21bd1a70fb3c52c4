// What a command of `signet` is, as data: words, options, help. Which ones there are says command-tree.ts.

/** What a shell may offer for a value. */
export type ValueKind =
  | "pod"
  | "namespace"
  | "identity"
  | "file"
  | "pod-or-file"
  | "directory"
  | "text"
  | { readonly choices: readonly string[] };

export interface Argument {
  readonly name: string;
  readonly summary: string;
  readonly kind: ValueKind;
  /** Takes all that is left; only the last one may. */
  readonly variadic?: boolean;
  readonly isOptional?: boolean;
}

export interface Option {
  /** With its dashes. */
  readonly long: string;
  readonly short?: string;
  readonly summary: string;
  /** Absent: a switch. */
  readonly value?: { readonly name: string; readonly kind: ValueKind };
  readonly byDefault?: string;
  /** The long name of one that it cannot stand beside. */
  readonly excludes?: string;
}

export interface Example {
  readonly command: string;
  readonly shows: string;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Sentences below the summary in its own help. */
  readonly details?: string;
  readonly arguments?: readonly Argument[];
  readonly options?: readonly Option[];
  readonly examples?: readonly Example[];
  readonly commands?: readonly Command[];
  /** Left out of help and completion. */
  readonly isHidden?: boolean;
}
