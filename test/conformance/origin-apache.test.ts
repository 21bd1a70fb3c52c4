// Attacks on apache behind the sidecars.
import { attackOrigin } from "./origins/attack.ts";

attackOrigin("apache");
