// Attacks on gunicorn behind the sidecars.
import { attackOrigin } from "./origins/attack.ts";

attackOrigin("gunicorn");
