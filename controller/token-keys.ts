// Tells sidecars what tokens are verified with: at the start, when a day's key begins, when another intermediate
// came into force, and when the one before has had its time.
import { atTime } from "#/api/deadline.ts";
import { formerIntermediateMs } from "#/ca/jwt-authority.ts";
import type { JwtAuthority } from "#/ca/jwt-authority.ts";
import { jwtKeyLifeMs } from "#/ca/jwt-keys.ts";
import type { Clock } from "#/lib/clock.ts";
import type { Watch } from "#/lib/watch.ts";
import type { Mesh } from "./index/mesh.ts";
import type { Trust } from "./trust.ts";
import type { WorldLoop } from "./world-loop.ts";

export interface TokenKeysParts {
  readonly mesh: Pick<Mesh, "setTokenKeys">;
  readonly jwt: Pick<JwtAuthority, "authorities">;
  readonly trust: Pick<Watch<Pick<Trust, "authority">>, "onChange">;
  readonly loop: Pick<WorldLoop, "request">;
  readonly clock: Clock;
}

export function keepTokenKeys({ mesh, jwt, trust, loop, clock }: TokenKeysParts): Disposable {
  let cancelDay = (): void => {};
  let cancelFormer = (): void => {};
  const tell = (): void => {
    mesh.setTokenKeys(jwt.authorities());
    loop.request();
  };
  const tellDaily = (): void => {
    tell();
    const next = (Math.floor(clock.now() / jwtKeyLifeMs) + 1) * jwtKeyLifeMs;
    cancelDay = atTime(clock, next, tellDaily);
  };
  const forget = trust.onChange((next, previous) => {
    if (next.authority === previous.authority) return;
    tell();
    cancelFormer();
    cancelFormer = atTime(clock, clock.now() + formerIntermediateMs, tell);
  });
  tellDaily();
  return {
    [Symbol.dispose]() {
      forget();
      cancelDay();
      cancelFormer();
    },
  };
}
