import { execFileSync } from "node:child_process";
import test from "ava";
import * as fc from "fast-check";
import {
  execCommand,
  launchCommand,
  launchScript,
  pathBelowRun,
  quoteWord,
} from "./launch-script.ts";
import type { LaunchPlan } from "./launch-script.ts";

const plan: LaunchPlan = {
  networkNamespace: "signet-pod-1",
  hostname: "web-1",
  stage: "/run/signet/pods/n.web/run-c",
  repository: "/srv/signet",
  resolvConf: "/run/signet/pods/n.web/resolv.conf",
  mounts: [],
  uid: 10_001,
  gid: 10_001,
  capabilities: [],
  hidden: ["/srv/signet/certs-dev/out", "/run/signet"],
  readOnlyRoot: false,
  command: ["node", "main.ts"],
};

test("quoteWord property: a shell reads back what was quoted", (t) => {
  const words = fc
    .sample(fc.string({ unit: "binary-ascii", maxLength: 12 }), 40)
    .map((word) => word.replaceAll("\0", ""));
  const script = words.map((word) => `printf '%s\\0' ${quoteWord(word)}`).join("\n");
  const read = execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
  t.deepEqual(read, words);
});

test("launchScript is a script that a shell can read, whatever the words", (t) => {
  const words = ["a b", "'", '"', "$(id)", "`id`", ";", "\n", "*", "--"];
  const script = launchScript({
    ...plan,
    command: words,
    mounts: words.map((word) => ({ source: `/x/${word}`, path: `/run/${word}`, readOnly: true })),
  });
  t.notThrows(() => execFileSync("sh", ["-n", "-c", script]));
});

test("launchScript drops everything before it runs anything of the pod's", (t) => {
  const last = launchScript(plan).split("\n").at(-1) ?? "";
  t.is(
    last,
    "exec setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --pdeathsig=KILL --inh-caps=-all --ambient-caps=-all --bounding-set=-all node main.ts",
  );
});

test("launchScript keeps exactly the capabilities asked for", (t) => {
  const last = launchScript({ ...plan, uid: 0, gid: 0, capabilities: ["net_admin", "net_raw"] });
  t.regex(
    last,
    /--inh-caps=-all,\+net_admin,\+net_raw --bounding-set=-all,\+net_admin,\+net_raw node/,
  );
  t.notRegex(last, /--ambient-caps/);
});

test("launchScript hides root's keys at both places where they could be seen", (t) => {
  const script = launchScript(plan);
  for (const folder of [
    "/srv/signet/certs-dev/out",
    "/run/signet-code/certs-dev/out",
    "/run/signet",
  ]) {
    t.true(script.includes(`mount -t tmpfs -o mode=0700,size=4k,ro tmpfs ${folder};`), folder);
  }
});

test("launchScript allows no core dump, and makes the root read-only when asked, last of all", (t) => {
  t.true(launchScript(plan).includes("ulimit -c 0"));
  t.false(launchScript(plan).includes("remount,bind,ro /\n"));
  const lines = launchScript({ ...plan, readOnlyRoot: true }).split("\n");
  t.is(lines.at(-3), "mount --options-source disable -o remount,bind,ro /");
});

test("launchScript binds volumes below /run, and mounts in /tmp after /tmp is made", (t) => {
  const lines = launchScript({
    ...plan,
    mounts: [
      { source: "/v/token", path: "/var/run/secrets/signet", readOnly: true },
      { source: "/v/scratch", path: "/tmp/scratch", readOnly: false },
    ],
  }).split("\n");
  const at = (text: string): number => lines.findIndex((line) => line.includes(text));
  t.true(at(`mount --bind /v/token ${plan.stage}/secrets/signet`) > 0);
  t.true(at(`remount,bind,ro ${plan.stage}/secrets/signet`) > 0);
  t.true(at("mount --bind /v/scratch /tmp/scratch") > at("tmpfs /tmp"));
});

test("launchCommand and execCommand enter the same kinds of namespaces", (t) => {
  const launched = launchCommand(plan).join(" ");
  t.regex(launched, /^nsenter --net=\/run\/netns\/signet-pod-1 unshare --mount --uts --ipc/);
  const run = execCommand(42, plan, ["id", "-u"]);
  t.deepEqual(run.slice(0, 6), ["nsenter", "--target=42", "--net", "--uts", "--ipc", "--mount"]);
  t.true(run.includes("--reuid=10001") && run.includes("--no-new-privs"));
  t.deepEqual(run.slice(-2), ["id", "-u"]);
});

test("pathBelowRun takes /var/run for /run and nothing else", (t) => {
  t.is(pathBelowRun("/var/run/a/b"), "a/b");
  t.is(pathBelowRun("/run/a"), "a");
  for (const path of ["/run", "/run/", "/runner/a", "/tmp/a", "a"]) t.is(pathBelowRun(path), null);
});
