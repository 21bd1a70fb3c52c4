// Attacks on node behind the sidecars.
import { attackOrigin } from "./origins/attack.ts";

attackOrigin("node");
