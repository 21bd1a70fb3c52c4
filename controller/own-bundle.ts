// The mesh's own bundle, as others are told it: by the bundle endpoint, and to whoever hands it to another mesh.
import type { JwtAuthority } from "#/ca/jwt-authority.ts";
import { jwtKeyLifeMs } from "#/ca/jwt-keys.ts";
import { writeBundleDocument } from "#/identity/bundle-document.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Watch } from "#/lib/watch.ts";
import type { Trust } from "./trust.ts";

export interface OwnBundleParts {
  readonly trust: Pick<Watch<Pick<Trust, "bundle" | "stored">>, "get">;
  readonly jwt: Pick<JwtAuthority, "authorities">;
  readonly clock: Pick<Clock, "now">;
  readonly refreshHintS: number;
}

/** The document of now, JSON. */
export function ownBundle({ trust, jwt, clock, refreshHintS }: OwnBundleParts): string {
  const { bundle, stored } = trust.get();
  const { rotation, last } = stored.record;
  const day = Math.floor(clock.now() / jwtKeyLifeMs) * jwtKeyLifeMs;
  // Each step of a rotation counts, also the way back: readers refuse a sequence that falls.
  const since = Math.max(day, rotation?.since ?? 0, last?.finishedAt ?? 0);
  const jwtAuthorities = jwt.authorities();
  return writeBundleDocument({ roots: bundle.roots, jwtAuthorities, since, refreshHintS });
}
