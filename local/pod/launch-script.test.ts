// The script that makes a container, as text and as a shell reads it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import * as fc from "fast-check";
import { golden } from "#/test/kit/golden.ts";
import {
  execCommand,
  isMountPath,
  launchCommand,
  launchScript,
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
  environment: { PATH: "/bin", A: "b" },
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
    "exec setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --pdeathsig=KILL --inh-caps=-all --ambient-caps=-all --bounding-set=-all env -i -- PATH=/bin A=b node main.ts 3>&-",
  );
});

test("launchScript keeps exactly the capabilities asked for", (t) => {
  const last = launchScript({ ...plan, uid: 0, gid: 0, capabilities: ["net_admin", "net_raw"] });
  t.regex(
    last,
    /--inh-caps=-all,\+net_admin,\+net_raw --bounding-set=-all,\+net_admin,\+net_raw env/,
  );
  t.notRegex(last, /--ambient-caps/);
});

const hides = (folder: string): boolean =>
  launchScript(plan).includes(`mount -t tmpfs -o mode=0700,size=4k,ro tmpfs ${folder};`);

test("launchScript hides root's keys at both places where they could be seen", (t) => {
  for (const folder of ["/srv/signet/certs-dev/out", "/run/signet-code/certs-dev/out"]) {
    t.true(hides(folder), folder);
  }
});

test("launchScript leaves what is below the pod's own /run: a volume may be called like the state", (t) => {
  t.false(hides("/run/signet"));
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
  const run = execCommand(42, plan, { A: "b" }, ["id", "-u"]);
  t.deepEqual(run.slice(0, 6), ["nsenter", "--target=42", "--net", "--uts", "--ipc", "--mount"]);
  t.true(run.includes("--reuid=10001") && run.includes("--no-new-privs"));
  t.deepEqual(run.slice(run.indexOf("env"), run.indexOf("/bin/sh")), ["env", "-i", "--", "A=b"]);
  t.deepEqual(run.slice(-2), ["id", "-u"]);
});

// Every tool of the script becomes a function that tells its words; nothing of this machine is reached.
const recorded = ["umask", "ulimit", "mount", "mkdir", "cp", "cd"];
const stub = `#!/bin/sh\nprintf '%s\\0' setpriv "$@"\n`;
const prelude = [
  ...recorded.map((tool) => `${tool}() { printf '%s\\0' ${tool} "$@"; }`),
  "readlink() { printf /run/sub/resolv.conf; }",
  "dirname() { printf sub; }",
].join("\n");

/** The words that reach a tool when a shell runs the script of this plan. */
function wordsOf(folder: string, hostile: LaunchPlan): readonly string[] {
  const script = launchScript(hostile).replace("> /proc/sys/kernel/hostname", "> /dev/null");
  if (script.includes("/proc/")) throw new Error("The script would change this machine");
  writeFileSync(path.join(folder, "setpriv"), stub, { mode: 0o755 });
  const options = { cwd: folder, encoding: "utf8", env: { PATH: folder } } as const;
  return execFileSync("/bin/sh", ["-euc", `${prelude}\n${script}`], options).split("\0");
}

for (const word of ["a b", "'", '"', "$(:>pwned)", "`:>pwned`", "; :>pwned;", "\n:>pwned\n", "*"]) {
  test(`launchScript hands ${JSON.stringify(word)} on as it is, wherever it stands`, (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "launch-"));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const words = wordsOf(folder, {
      ...plan,
      hostname: word,
      stage: `/stage/${word}`,
      repository: `/repository/${word}`,
      resolvConf: `/resolv/${word}`,
      mounts: [
        { source: `/source/${word}`, path: `/run/${word}`, readOnly: true },
        { source: "/v", path: `/tmp/${word}`, readOnly: false },
      ],
      capabilities: [word],
      environment: { A: word },
      command: [word],
    });
    for (const whole of [
      `/stage/${word}`,
      `/stage/${word}/sub`,
      `/stage/${word}/sub/resolv.conf`,
      `/stage/${word}/${word}`,
      `/repository/${word}`,
      `/resolv/${word}`,
      `/source/${word}`,
      `/tmp/${word}`,
      `--bounding-set=-all,+${word}`,
      `A=${word}`,
      word,
    ]) {
      t.true(words.includes(whole), whole);
    }
    t.deepEqual(readdirSync(folder), ["setpriv"]);
  });
}

test("launchScript gives the pod's variables to the pod's command alone", (t) => {
  const environment = { LD_PRELOAD: "/tmp/x.so", PATH: "/tmp" };
  const lines = launchScript({ ...plan, environment }).split("\n");
  t.true(lines.at(-1)?.endsWith(" env -i -- LD_PRELOAD=/tmp/x.so PATH=/tmp node main.ts 3>&-"));
  t.false(lines.slice(0, -1).join("\n").includes("LD_PRELOAD"));
});

const outside = [
  "/",
  "/run",
  "/run/",
  "/etc/x",
  "/run/../etc",
  "/tmp/a/../../etc",
  "/tmp/./a",
  "run/a",
  "/runner/a",
  "/run/signet-code",
  "/run/signet-code/proxy",
  "/var/run//signet-code/proxy",
  "",
];
for (const at of outside) {
  test(`launchScript mounts nothing at ${JSON.stringify(at)}`, (t) => {
    t.false(isMountPath(at));
    const mounts = [{ source: "/v", path: at, readOnly: false }];
    t.throws(() => launchScript({ ...plan, mounts }), { message: /below \/run or \/tmp/ });
  });
}

test("isMountPath takes what is below /run, /var/run and /tmp", (t) => {
  for (const at of ["/run/a", "/var/run/a/b", "/tmp/a", "/run/signet-codes"])
    t.true(isMountPath(at));
});

test("launchScript is the script that was reviewed", (t) => {
  const script = launchScript({
    ...plan,
    mounts: [
      { source: "/v/token", path: "/var/run/secrets/signet", readOnly: true },
      { source: "/v/scratch", path: "/tmp/scratch", readOnly: false },
    ],
    uid: 0,
    gid: 0,
    capabilities: ["net_admin", "net_raw"],
    readOnlyRoot: true,
  });
  t.is(script, golden(new URL("golden/launch-script.txt", import.meta.url), script));
});
