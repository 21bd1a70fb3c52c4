// Streams that the application does not read until somebody asks for it (GET /resume), by name.

const waiting = new Map<string, () => void>();

export function resumed(name: string): Promise<void> {
  return new Promise((resolve) => waiting.set(name, resolve));
}

export function resume(name: string): void {
  waiting.get(name)?.();
  waiting.delete(name);
}
