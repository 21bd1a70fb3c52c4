// Attacks on nginx behind the sidecars.
import { attackOrigin } from "./origins/attack.ts";

attackOrigin("nginx");
