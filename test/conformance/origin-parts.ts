// What the origins are made of, fetched once: Python's servers, gunicorn's own test requests, and our program
// around Go's net/http. nginx and Apache are Debian's.
import path from "node:path";
import { goPart } from "../cluster/build/go-module.ts";
import { part } from "../cluster/cache.ts";
import { succeed } from "../cluster/command.ts";
import { ensurePrograms } from "../cluster/prerequisites.ts";

/** What they are besides, and the Debian packages that have it. */
const programs = [
  ["nginx", "nginx-light"],
  ["apache2", "apache2-bin"],
  ["setpriv", "util-linux"],
  ["python3", "python3"],
  ["pip3", "python3-pip"],
  ["unzip", "unzip"],
] as const;
const gunicorn = "gunicorn==27.0.1";
const pythonPackages = [gunicorn, "h11==0.16.0"];

/** What tests/origins has to be told. `parts`: the folder of our programs. */
export async function originEnvironment(parts: string): Promise<NodeJS.ProcessEnv> {
  await ensurePrograms(programs);
  const goOrigin = await goPart({ name: "go-origin", parts, requires: {} });
  return {
    SIGNET_TEST_GO_ORIGIN: path.join(goOrigin, "go-origin"),
    SIGNET_TEST_PYTHON_ORIGINS: await pythonPart(),
    SIGNET_TEST_GUNICORN_SOURCE: await gunicornSource(),
  };
}

function pythonPart(): Promise<string> {
  return part({
    name: "python-origins",
    title: "Fetching gunicorn and h11",
    ingredients: pythonPackages,
    make: async (folder) => {
      const flags = ["--quiet", "--no-compile", "--root-user-action=ignore", "--target", folder];
      await succeed("python3", ["-m", "pip", "install", ...flags, ...pythonPackages]);
    },
  });
}

/** The source distribution: the package that is installed has no tests. */
function gunicornSource(): Promise<string> {
  return part({
    name: "gunicorn-source",
    title: "Fetching gunicorn's test requests",
    ingredients: [gunicorn],
    make: async (folder) => {
      const flags = ["--quiet", "--no-deps", "--no-binary=:all:", "--dest", folder];
      await succeed("python3", ["-m", "pip", "download", ...flags, gunicorn]);
      const archive = path.join(folder, `${gunicorn.replace("==", "-")}.tar.gz`);
      await succeed("tar", ["-xzf", archive, "-C", folder, "--strip-components=1"]);
    },
  });
}
