// What kubelet was told to check of the application, as the injector wrote it into our environment.
import type { Probes } from "#/api/probe.ts";
import { z } from "#/lib/config.ts";

const port = z.number().int().min(1).max(65_535);
const timeoutS = z.number().min(1).max(3600);

const shape = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("http"),
    port,
    path: z.string().startsWith("/").max(4096),
    secure: z.boolean(),
    headers: z.array(z.tuple([z.string().max(256), z.string().max(4096)])).max(32),
    timeoutS,
  }),
  z.object({ kind: z.literal("tcp"), port, timeoutS }),
  z.object({ kind: z.literal("grpc"), port, service: z.string().max(1024), timeoutS }),
]);

const probesMax = 128;
const probes = z
  .record(z.string().max(128), shape)
  .refine((all) => Object.keys(all).length <= probesMax, `more than ${probesMax} probes`);

/** Throws when `text` is none of it. */
export function parseProbes(text: string): Probes {
  return probes.parse(JSON.parse(text));
}
