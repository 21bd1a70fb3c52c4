// What a pod's sidecar counts, as the tour asks for it.
import { parseExposition } from "../live/scrape.ts";
import type { Sample } from "../live/scrape.ts";
import type { Pod } from "../mesh.ts";
import type { TourContext } from "./claim.ts";

export async function scrape(context: TourContext, pod: Pod): Promise<readonly Sample[]> {
  return parseExposition(await context.mesh.metrics(pod));
}

/** The sum over all series of `name` whose labels are as given. */
export function sumOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return matching(samples, name, labels).reduce((sum, { value }) => sum + value, 0);
}

export function matching(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): readonly Sample[] {
  const wanted = Object.entries(labels);
  return samples.filter(
    (sample) =>
      sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
  );
}
