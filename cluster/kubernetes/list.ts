// A whole list, page by page, for tools that look once. Whoever follows changes uses a reflector.
import type { KubernetesClient } from "./client.ts";
import { KubernetesError } from "./kubernetes-error.ts";

/** Objects per page. */
const pageObjectsMax = 500;
const pageMs = 30_000;

/** As the API server lists them: items lack kind and apiVersion. Rejects with KubernetesError. */
export async function listAll(
  client: KubernetesClient,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<readonly unknown[]> {
  const all: unknown[] = [];
  let next = "";
  do {
    const page = (await client.call({
      method: "GET",
      path,
      query: {
        ...query,
        limit: String(pageObjectsMax),
        ...(next === "" ? {} : { continue: next }),
      },
      timeoutMs: pageMs,
    })) as { readonly items?: unknown; readonly metadata?: { readonly continue?: unknown } } | null;
    if (!Array.isArray(page?.items)) {
      throw new KubernetesError("unreadable", `Cannot list ${path}: the answer is no list`);
    }
    all.push(...(page.items as unknown[]));
    const more = page.metadata?.continue;
    next = typeof more === "string" ? more : "";
  } while (next !== "");
  return all;
}
