// Attacks on node-lenient behind the sidecars.
import { attackOrigin } from "./origins/attack.ts";

attackOrigin("node-lenient");
