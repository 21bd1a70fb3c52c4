// Brings an image that was built outside of the rig, into the rig's store of layers, to the cluster that
// runs: `node test/cluster/add-image.ts NAME`. What the Tiltfile calls SIGNET_LOAD_IMAGE, on this cluster.
import { messageOf } from "#/lib/errors.ts";
import { renameImage } from "./build/buildah.ts";
import { addImageToCluster } from "./node/images.ts";

const [name = ""] = process.argv.slice(2);
try {
  await addImageToCluster(name);
  // Tilt gives each build a name of its own; the store keeps the layers of the last.
  await renameImage(name, `${name.replace(/:[^/]*$/, "")}:tilt`);
} catch (error) {
  process.stderr.write(`Cannot bring "${name}" to the cluster: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
