// `signet log`: the logs of what was issued, and proofs that nothing was left out, added or changed in them.
import { readFileSync } from "node:fs";
import { base64 } from "#/lib/base64.ts";
import { messageOf } from "#/lib/errors.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import { newestByPod, readIssued } from "../issued.ts";
import type { IssuedCertificate } from "../issued.ts";
import { isEntryOf, readGrowth, readHeads, readInclusion, readSavedHeads } from "../log/answers.ts";
import type { Inclusion, LogHead, ToldHead } from "../log/answers.ts";
import { checkCopy, copiesIn } from "../log/copy-check.ts";
import type { CopyReport } from "../log/copy-check.ts";
import { checkSigned, rootsOf } from "../log/signed.ts";
import type { Signature } from "../log/signed.ts";
import { MeshAccessError, findPod, podName } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";
import type { Style } from "../paint.ts";
import { formatFields, formatTable } from "../table.ts";
import { counted } from "../text.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, word } from "./context.ts";

/** Exits with 1 when a signature does not hold. `given`: tests have a mesh of their own. */
export async function logHead(context: CommandContext, given?: Mesh): Promise<number> {
  const { print, clock } = context;
  const mesh = given ?? (await meshOf(context));
  const roots = await rootsOf(mesh);
  const heads = readHeads(await mesh.inspect("/v1/log/head"));
  const told = heads.map((head) => ({ head, signature: checkSigned(head, roots, clock.now()) }));
  if (print.format === "json") print.json({ logs: told.map(headJson) });
  else print.lines(headsText(told, context));
  return told.every(({ signature }) => signature.isGood) ? EXIT_OK : EXIT_FAILED;
}

interface CheckedHead {
  readonly head: ToldHead;
  readonly signature: Signature;
}

function headsText(heads: readonly CheckedHead[], { print }: CommandContext): readonly string[] {
  const { paint, glyphs } = print.style;
  const columns = [
    { title: "LOG OF", shrinks: true },
    { title: "ENTRIES", alignRight: true },
    { title: "ROOT" },
    { title: "SIGNED" },
  ];
  const rows = heads.map(({ head, signature }) => [
    head.pod,
    String(head.size),
    base64(head.root),
    signature.isGood
      ? paint.green(glyphs.passed)
      : paint.red(`${glyphs.failed} ${signature.fault}`),
  ]);
  return formatTable(columns, rows, print.width(), print.style);
}

function headJson({ head, signature }: CheckedHead): object {
  const { pod, size, root, first, signed } = head;
  const { checkpoint = null, key = null } = signed ?? {};
  const common = { pod, size, root: base64(root), first, checkpoint, key };
  return signature.isGood
    ? { ...common, origin: signature.origin, isSigned: true }
    : { ...common, origin: null, isSigned: false, fault: signature.fault };
}

/** Exits with 1 when the proof does not hold, or the entry is another certificate's. */
export async function logProve(context: CommandContext, given?: Mesh): Promise<number> {
  const { print } = context;
  const mesh = given ?? (await meshOf(context));
  const pod = findPod(await mesh.pods(), word(context, "pod"));
  const issued = await newestOf(mesh, pod.namespace, pod.name);
  const query = new URLSearchParams({ serial: issued.serial }).toString();
  const found = readInclusion(await mesh.inspect(`/v1/log/inclusion?${query}`));
  if (found === null) {
    throw new MeshAccessError("not_found", `No log has the certificate of "${podName(pod)}"`, {
      next: "It was issued, and no log that can be asked knows of it: somebody should know why",
    });
  }
  const isTheOne = isEntryOf(found, issued);
  const isGood = found.isProven && isTheOne;
  if (print.format === "json") {
    const { index, head, hashes, isProven } = found;
    const log = { pod: found.pod, size: head.size, root: base64(head.root) };
    print.json({ serial: issued.serial, id: issued.id, index, log, hashes, isProven, isTheOne });
  } else print.lines(proofText(found, issued, isTheOne, context));
  return isGood ? EXIT_OK : EXIT_FAILED;
}

async function newestOf(mesh: Mesh, namespace: string, pod: string): Promise<IssuedCertificate> {
  const query = new URLSearchParams({ namespace, pod }).toString();
  const answers = await mesh.inspect(`/v1/certificates?${query}`);
  const [newest] = newestByPod(answers.flatMap(readIssued));
  if (newest !== undefined) return newest;
  throw new MeshAccessError("not_found", `No certificate was issued to "${namespace}/${pod}"`, {
    next: "Name a pod with a sidecar: signet certs list",
  });
}

function proofText(
  { pod, index, head, hashes, isProven }: Inclusion,
  { serial, id }: IssuedCertificate,
  isTheOne: boolean,
  { print }: CommandContext,
): readonly string[] {
  const { paint, glyphs } = print.style;
  const mark = (isGood: boolean): string =>
    isGood ? paint.green(glyphs.passed) : paint.red(glyphs.failed);
  return [
    ...formatFields(
      [
        ["identity", id],
        ["serial", serial],
        ["log of", pod],
        ["entry", `${index} of ${head.size}`],
        ["root", base64(head.root)],
      ],
      print.style,
    ),
    "",
    `${mark(isTheOne)} the entry holds this very certificate`,
    `${mark(isProven)} ${counted(hashes, "hash", "hashes")} lead from the entry to the root`,
  ];
}

/** Exits with 1 when a log is not what it was, grown, or a copy is not what was signed. */
export async function logVerify(context: CommandContext, given?: Mesh): Promise<number> {
  const { print } = context;
  const copies = copiesIn(word(context, "file"));
  if (copies !== null) return verifyCopies(copies.map(checkCopy), context);
  const mesh = given ?? (await meshOf(context));
  const seen = readSavedHeads(readJson(word(context, "file")));
  const results = await Promise.all(
    seen.map(async (head) => {
      const query = new URLSearchParams({ pod: head.pod, before: String(head.size) }).toString();
      return { head, growth: readGrowth(await mesh.inspect(`/v1/log/consistency?${query}`), head) };
    }),
  );
  const isGood = results.every(({ growth }) => growth?.isProven === true);
  if (print.format === "json") {
    const logs = results.map(({ head, growth }) => ({
      pod: head.pod,
      before: head.size,
      size: growth?.now.size ?? null,
      isProven: growth?.isProven ?? false,
    }));
    print.json({ isGood, logs });
  } else print.lines(results.map(({ head, growth }) => growthText(head, growth, context)));
  return isGood ? EXIT_OK : EXIT_FAILED;
}

function verifyCopies(reports: readonly CopyReport[], { print }: CommandContext): number {
  const isGood = reports.every(({ faults }) => faults.length === 0);
  if (print.format === "json") print.json({ isGood, copies: reports });
  else print.lines(reports.flatMap((report) => copyText(report, print.style)));
  return isGood ? EXIT_OK : EXIT_FAILED;
}

function copyText(report: CopyReport, { paint, glyphs }: Style): readonly string[] {
  const { folder, origin, size, first, faults } = report;
  if (faults.length > 0) {
    return faults.map((fault) => `${paint.red(glyphs.failed)} ${folder}: ${fault}`);
  }
  const held = counted(size - first, "entry", "entries");
  const before = first === 0 ? "" : `, and the hashes of ${first} that were pruned before`;
  const said = `${held} of ${origin ?? ""}${before}: each is what was signed`;
  return [`${paint.green(glyphs.passed)} ${folder}: ${said}`];
}

function growthText(
  { pod, size }: LogHead,
  growth: ReturnType<typeof readGrowth>,
  { print }: CommandContext,
): string {
  const { paint, glyphs } = print.style;
  if (growth === null)
    return `${paint.red(glyphs.failed)} ${pod}: nobody can be asked about it now`;
  const { now, isProven } = growth;
  if (isProven) {
    const more = counted(now.size - size, "entry", "entries");
    return `${paint.green(glyphs.passed)} ${pod}: the ${size} of then and ${more} since`;
  }
  const why =
    now.size < size
      ? `it had ${size} entries and has ${now.size}: some were lost or taken away`
      : `the ${size} entries of then are not what it begins with now`;
  return `${paint.red(glyphs.failed)} ${pod}: ${why}`;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file === "-" ? 0 : file, "utf8"));
  } catch (cause) {
    throw new MeshAccessError("unreadable", `Cannot read "${file}": ${messageOf(cause)}`, {
      next: "Name what signet log head -o json has printed",
      cause,
    });
  }
}
