// Images by name: what each stands for, and that nothing else is run.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import test from "ava";
import { commandOfImage } from "./images.ts";
import { LocalError } from "../objects.ts";

const repository = path.resolve(import.meta.dirname, "../..");
const images = ["controller", "proxy", "proxy-init", "app-a", "app-b", "client"];

for (const name of images) {
  test(`commandOfImage runs signet/${name} from a file that is there`, (t) => {
    const command = commandOfImage(`signet/${name}`);
    t.true(existsSync(path.join(repository, command.at(-1) ?? "")));
    t.deepEqual(commandOfImage(`signet/${name}:v1.2`), command);
  });
}

test("commandOfImage hardens what holds keys: no inspector, no code from strings", (t) => {
  for (const name of ["controller", "proxy", "proxy-init"]) {
    const command = commandOfImage(`signet/${name}`);
    t.true(command.includes("--disable-sigusr1"));
    t.true(command.includes("--disallow-code-generation-from-strings"));
  }
});

const attempts = `
  const refused = [];
  const attempt = (name, work) => {
    try { work(); } catch (error) { if (error.code === "ERR_ACCESS_DENIED") refused.push(name); }
  };
  attempt("process", () => require("node:child_process").spawnSync("id"));
  attempt("file", () => require("node:fs").writeFileSync("/tmp/signet-images-test", ""));
  attempt("thread", () => new (require("node:worker_threads").Worker)("", { eval: true }));
  console.log(refused.join(" "));
`;
const confinement = { proxy: "process file", controller: "process file" };
for (const [name, refused] of Object.entries(confinement)) {
  test(`commandOfImage confines signet/${name}: no ${refused.replaceAll(" ", ", no ")}`, (t) => {
    const flags = commandOfImage(`signet/${name}`).slice(0, -1);
    const done = spawnSync(process.execPath, [...flags, "--eval", attempts], { encoding: "utf8" });
    t.is(done.stdout.trim(), refused);
    t.is(done.stderr, "", "and Node has nothing to warn of");
  });
}

test("a sidecar of one worker gives up the leave to make threads, and cannot take it back", (t) => {
  const flags = commandOfImage("signet/proxy").slice(0, -1);
  const script = `process.permission.drop("worker");${attempts}`;
  const done = spawnSync(process.execPath, [...flags, "--eval", script], { encoding: "utf8" });
  t.is(done.stdout.trim(), "process file thread");
});

const unknown = [
  "",
  "nginx",
  "signet/proxy@sha256:00",
  "registry:5000/signet/proxy",
  "signet/../app-a",
  "constructor",
  "__proto__",
  ":v1",
];
for (const image of unknown) {
  test(`commandOfImage refuses ${JSON.stringify(image)} and names what it knows`, (t) => {
    const error = t.throws(() => commandOfImage(image), { instanceOf: LocalError });
    t.is(error.code, "not_possible_here");
    t.true(error.message.includes(`"${image}"`));
    for (const name of images) t.true(error.next.includes(`signet/${name}`));
  });
}
