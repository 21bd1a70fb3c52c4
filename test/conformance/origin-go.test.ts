// Attacks on go behind the sidecars.
import { attackOrigin } from "./origins/attack.ts";

attackOrigin("go");
