// The definition of Gateway API's HTTPRoute, out of the Go module that publishes it: of the standard
// channel, which is what most clusters have.
import { copyFileSync } from "node:fs";
import path from "node:path";
import { part } from "../cache.ts";
import { downloadedModule } from "./go-module.ts";
import { goProgram } from "./go-toolchain.ts";

const version = "v1.4.1";
const file = "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml";

/** A manifest to apply. */
export async function httpRouteManifest(): Promise<string> {
  const folder = await part({
    name: "gateway-api",
    title: "Fetching the Gateway API's definitions",
    ingredients: [version, file],
    make: async (making) => {
      const module = `sigs.k8s.io/gateway-api@${version}`;
      const { Dir: source } = await downloadedModule(await goProgram(), module);
      copyFileSync(path.join(source, file), path.join(making, path.basename(file)));
    },
  });
  return path.join(folder, path.basename(file));
}
