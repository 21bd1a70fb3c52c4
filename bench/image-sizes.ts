// How large our images are, if the cluster's rig has built some.
import { existsSync, readdirSync, statSync } from "node:fs";
import { readImage } from "#/test/cluster/kit/image.ts";
import { cacheFolder } from "#/test/cluster/settings.ts";
import type { Sample } from "./rows.ts";

const names = ["controller", "injector", "proxy", "proxy-init"];

/** The layout that was used last, and what is in it; null when none was built. */
export function measureImages(
  environment: NodeJS.ProcessEnv,
): { readonly layout: string; readonly samples: readonly Sample[] } | null {
  const cache = cacheFolder(environment);
  if (!existsSync(cache)) return null;
  const [layout] = readdirSync(cache)
    .filter((name) => /^images-[0-9a-f]+$/.test(name))
    .map((name) => `${cache}/${name}`)
    .toSorted((left, right) => statSync(right).mtimeMs - statSync(left).mtimeMs);
  if (layout === undefined) return null;
  const samples = names.map((name): Sample => {
    const { size } = readImage(layout, `docker.io/signet/${name}:latest`);
    return { subject: `signet/${name}`, metric: "image_mb", value: size / 1e6 };
  });
  return { layout, samples };
}
