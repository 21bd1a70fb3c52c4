// Attacks on h11 behind the sidecars.
import { attackOrigin } from "./origins/attack.ts";

attackOrigin("h11");
