// What the application saw of a caller, by the name that the caller gave itself: asked for afterwards, over a
// connection of its own (GET /noted/NAME).

export type Note = Readonly<Record<string, unknown>>;

const notes = new Map<string, Note>();

/** Adds to what is known of `name`; later values take the place of earlier ones. */
export function note(name: string, more: Note): void {
  notes.set(name, { ...notes.get(name), ...more });
}

export function noted(name: string): Note {
  return notes.get(name) ?? {};
}
