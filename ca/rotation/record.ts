// What is stored of the mesh's authorities, whole: the roots that are trusted, what issuers are certified
// with, and how far a rotation has come. One record is written at once or not at all, so that whoever
// reads it, also after a crash at any moment, finds a state that stands by itself. Texts are PEM. Pure.

export interface Keyed {
  readonly certificate: string;
  /** PKCS#8; null: it is not here, or no more. */
  readonly key: string | null;
}

/** A root and the intermediate under it. */
export interface Hierarchy {
  readonly root: Keyed;
  readonly intermediate: Keyed;
}

export type RotationKind = "root" | "intermediate";

/**
 * staged: the next hierarchy is there; its root is trusted beside the present one, and nobody issues under
 * it yet. switched: issuers hang from it, and the former one is still trusted. retired: the former root
 * is no longer in the bundle, and the keys of the former hierarchy are gone.
 */
export type RotationStep = "staged" | "switched" | "retired";

export interface Rotation {
  /** Tells it from every other. */
  readonly id: string;
  readonly of: RotationKind;
  readonly step: RotationStep;
  /** It goes back to where it came from: what is switched to and kept is the former hierarchy. */
  readonly isAborting: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  /** When the present step began. */
  readonly since: number;
  /** The one to come while it is staged, then the one to go. */
  readonly other: Hierarchy;
}

export interface Outcome {
  readonly id: string;
  readonly of: RotationKind;
  readonly end: "rotated" | "aborted";
  readonly startedAt: number;
  readonly finishedAt: number;
}

/** A key that waits for its certificate, which the holder of the root's key has to make. */
export interface PendingKey {
  /** PEM of the PKCS#10 request. */
  readonly request: string;
  /** PKCS#8. */
  readonly key: string;
}

export interface AuthorityRecord {
  /** Every trusted root, the one in force first. */
  readonly roots: readonly string[];
  /** Former roots and the links that lead from each to the one after it; see identity/links.ts. */
  readonly links: readonly string[];
  /** null: the root's key is kept elsewhere. */
  readonly rootKey: string | null;
  readonly intermediate: string;
  readonly intermediateKey: string;
  readonly rotation: Rotation | null;
  readonly last: Outcome | null;
  readonly pending: PendingKey | null;
  /** The last request of a person that was taken up; empty: none. */
  readonly handled: string;
}

const plainNames = {
  roots: "root.crt",
  rootKey: "root.key",
  intermediate: "intermediate.crt",
  intermediateKey: "intermediate.key",
  links: "links.pem",
  progress: "rotation.json",
} as const;

/** Names of texts as they stand in a Secret; the first four also as files that people make. */
export const textNames: typeof plainNames = plainNames;

/** By the names of `textNames`; a text that is not there is not in it. */
export type Texts = Readonly<Record<string, string>>;

export function toTexts(record: AuthorityRecord): Texts {
  const { rotation, last, pending, handled } = record;
  const hasProgress = rotation !== null || last !== null || pending !== null || handled !== "";
  return {
    [plainNames.roots]: record.roots.join(""),
    ...(record.rootKey === null ? {} : { [plainNames.rootKey]: record.rootKey }),
    [plainNames.intermediate]: record.intermediate,
    [plainNames.intermediateKey]: record.intermediateKey,
    ...(record.links.length === 0 ? {} : { [plainNames.links]: record.links.join("") }),
    ...(hasProgress
      ? { [plainNames.progress]: JSON.stringify({ rotation, last, pending, handled }, null, 2) }
      : {}),
  };
}

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\r?\n?/g;

/** Throws Error that says which text is missing or cannot be read; certificates are not looked at. */
export function fromTexts(texts: Texts): AuthorityRecord {
  const text = (name: string): string => {
    const found = texts[name] ?? "";
    if (found === "") throw new Error(`it has no "${name}"`);
    return found;
  };
  const roots = text(plainNames.roots);
  const blocks = (pem: string): readonly string[] => pem.match(pemBlock) ?? [];
  return {
    // What holds no block is kept, so that whoever parses it can say what is wrong with it.
    roots: blocks(roots).length === 0 ? [roots] : blocks(roots),
    links: blocks(texts[plainNames.links] ?? ""),
    rootKey: texts[plainNames.rootKey] ?? null,
    intermediate: text(plainNames.intermediate),
    intermediateKey: text(plainNames.intermediateKey),
    ...progressOf(texts[plainNames.progress]),
  };
}

type Progress = Pick<AuthorityRecord, "rotation" | "last" | "pending" | "handled">;

function progressOf(text: string | undefined): Progress {
  if (text === undefined) return { rotation: null, last: null, pending: null, handled: "" };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`its "${plainNames.progress}" is not JSON`);
  }
  if (!isProgress(value)) throw new Error(`its "${plainNames.progress}" is no rotation of ours`);
  return value;
}

function isProgress(value: unknown): value is Progress {
  const { rotation, last, pending, handled } = (value ?? {}) as Partial<
    Record<keyof Progress, unknown>
  >;
  if (typeof handled !== "string" || !(pending === null || isPending(pending))) return false;
  return (rotation === null || isRotation(rotation)) && (last === null || isOutcome(last));
}

function isPending(value: unknown): value is PendingKey {
  const { request, key } = (value ?? {}) as Partial<PendingKey>;
  return typeof request === "string" && typeof key === "string";
}

function isRotation(value: unknown): value is Rotation {
  const rotation = (value ?? {}) as Partial<Rotation>;
  const { root, intermediate } = rotation.other ?? {};
  return (
    typeof rotation.id === "string" &&
    (rotation.of === "root" || rotation.of === "intermediate") &&
    ["staged", "switched", "retired"].includes(rotation.step ?? "") &&
    typeof rotation.isAborting === "boolean" &&
    typeof rotation.startedAt === "number" &&
    typeof rotation.since === "number" &&
    typeof root?.certificate === "string" &&
    typeof intermediate?.certificate === "string"
  );
}

function isOutcome(value: unknown): value is Outcome {
  const { id, of, end } = (value ?? {}) as Partial<Outcome>;
  return typeof id === "string" && typeof of === "string" && typeof end === "string";
}
