// `signet ca`: asks for a rotation and follows it to its end. The controllers do it: whoever stops
// watching stops nothing.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { parsePem, toPem } from "#/identity/bundle.ts";
import { readCsrPem } from "#/identity/csr-pem.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit-codes.ts";
import { MeshAccessError } from "../mesh.ts";
import type { Mesh } from "../mesh.ts";
import { readAuthorityState, rotationRequest } from "../rotation.ts";
import type { AuthorityState, RotationKind } from "../rotation.ts";
import {
  outcomeText,
  short,
  stateLines,
  stepText,
  waitingLines,
  waitingText,
} from "../rotation-text.ts";
import type { CommandContext } from "./context.ts";
import { meshOf, option, word } from "./context.ts";

const POLL_MS = 500;
/** Controllers that are killed are back by then, or something is wrong. */
const SILENCE_MS_MAX = 120_000;
/** Until whoever drives has heard of a request. */
const TAKEN_UP_MS_MAX = 30_000;
/** Laggards are told again when others lag, and this often. */
const REMIND_MS = 15_000;

export async function caRotate(context: CommandContext, given?: Mesh): Promise<number> {
  const mesh = given ?? (await meshOf(context));
  const kind = kindOf(context);
  if (context.options["status"] === true) return showState(context, mesh);
  const before = await stateOf(mesh);
  if (context.options["abort"] === true) return abort(context, mesh, before);
  if (kind === null) {
    throw new MeshAccessError("failed", "Cannot rotate: say what, the root or the intermediate", {
      next: "signet ca rotate intermediate, or: signet ca rotate root",
    });
  }
  if (before.rotation !== null) {
    if (before.rotation.of !== kind || before.rotation.isAborting) {
      const state = before.rotation.isAborting ? "is being aborted" : "is under way";
      throw new MeshAccessError(
        "failed",
        `Cannot rotate the ${kind}: a rotation of the ${before.rotation.of} ${state}`,
        { next: "See: signet ca rotate --status" },
      );
    }
    context.print.note(`A rotation of the ${kind} is under way: following it`);
    return follow(context, mesh, before.rotation.id);
  }
  return ask(context, mesh, "rotate", kind);
}

/** Has the controllers make a key, and prints the request for its certificate. */
export async function caRequest(context: CommandContext, given?: Mesh): Promise<number> {
  const mesh = given ?? (await meshOf(context));
  const { clock, print, signal } = context;
  const before = await stateOf(mesh);
  const id = newId("request");
  await mesh.apply([rotationRequest("request", "intermediate", id, clock.now())]);
  const endsAt = clock.monotonic() + TAKEN_UP_MS_MAX;
  for (;;) {
    const state = await stateOf(mesh);
    if (state.refusal?.id === id) throw refused(state.refusal);
    const { pending } = state;
    if (pending !== null && pending !== before.pending) {
      const key = keyFingerprintOf(pending);
      if (print.format === "json") print.json({ request: pending, keyFingerprint: key });
      else print.raw(pending);
      print.note(`Key fingerprint (SHA-256): ${key}; compare it where the root signs`);
      print.note("Then: signet ca install CERTIFICATE");
      return EXIT_OK;
    }
    if (clock.monotonic() > endsAt) throw notTaken(state);
    await sleep(clock, POLL_MS, signal);
  }
}

/** Hands the certificate in; the intermediate is then rotated to it. */
export async function caInstall(context: CommandContext, given?: Mesh): Promise<number> {
  const mesh = given ?? (await meshOf(context));
  const { clock, print } = context;
  const file = word(context, "certificate");
  const certificate = readCertificateFile(file);
  const id = newId("install");
  await mesh.apply([rotationRequest("install", "intermediate", id, clock.now(), certificate)]);
  print.note(`Asked to install ${file}, on ${mesh.place}`);
  return follow(context, mesh, id, id);
}

function readCertificateFile(file: string): string {
  try {
    const text = readFileSync(file, "utf8");
    const [certificate, ...others] = parsePem(text);
    if (certificate !== undefined && others.length === 0) return toPem(certificate);
    throw new Error("it holds more than one certificate");
  } catch (cause) {
    throw new MeshAccessError("unreadable", `Cannot install "${file}": ${messageOf(cause)}`, {
      next: "Give the PEM of the certificate that the root's holder has made",
      cause,
    });
  }
}

function keyFingerprintOf(request: string): string {
  return createHash("sha256").update(readCsrPem(request)).digest("hex");
}

function newId(action: string): string {
  return `${action}-${randomBytes(6).toString("hex")}`;
}

function kindOf(context: CommandContext): RotationKind | null {
  const text = word(context, "authority");
  return text === "root" || text === "intermediate" ? text : null;
}

async function showState({ print, clock }: CommandContext, mesh: Mesh): Promise<number> {
  const state = await stateOf(mesh);
  if (print.format === "json") print.json(state);
  else print.lines(stateLines(state, clock.now(), print.style));
  return EXIT_OK;
}

async function abort(
  context: CommandContext,
  mesh: Mesh,
  { rotation }: AuthorityState,
): Promise<number> {
  if (rotation !== null) return ask(context, mesh, "abort", rotation.of, rotation.id);
  throw new MeshAccessError("failed", "Cannot abort: no rotation is under way", {
    next: "See: signet ca rotate --status",
  });
}

/** `rotation`: the one that is meant, when it is there already. */
async function ask(
  context: CommandContext,
  mesh: Mesh,
  action: "rotate" | "abort",
  of: RotationKind,
  rotation: string | null = null,
): Promise<number> {
  const { clock, print } = context;
  const id = newId(action);
  await mesh.apply([rotationRequest(action, of, id, clock.now())]);
  print.note(`Asked to ${action === "rotate" ? `rotate the ${of}` : "abort"}, on ${mesh.place}`);
  return follow(context, mesh, rotation ?? id, id);
}

/** Until the rotation has ended, or the time that was given is over. */
async function follow(
  context: CommandContext,
  mesh: Mesh,
  rotation: string,
  request: string | null = null,
): Promise<number> {
  const { clock, signal } = context;
  const isAbort = request !== null && request !== rotation;
  const begunAt = clock.monotonic();
  const endsAt = begunAt + timeoutMs(context);
  const view = new ProgressView(context);
  let heardAt = begunAt;
  for (;;) {
    signal.throwIfAborted();
    const state = await stateOf(mesh).catch((thrown: unknown) => {
      // Controllers that are away come back, and go on where they were.
      if (clock.monotonic() - heardAt > SILENCE_MS_MAX) throw thrown;
      return null;
    });
    const now = clock.monotonic();
    if (state !== null) {
      heardAt = now;
      const { refusal, last } = state;
      if (refusal !== null && refusal.id === request) throw refused(refusal);
      view.show(state, rotation);
      if (last?.id === rotation && state.rotation === null)
        return conclude(context, state, isAbort);
      const isTaken = state.rotation?.id === rotation;
      if (!isTaken && now - begunAt > TAKEN_UP_MS_MAX) throw notTaken(state);
    }
    if (now > endsAt) throw tooLong(state, context);
    await sleep(clock, POLL_MS, signal);
  }
}

function conclude({ print }: CommandContext, state: AuthorityState, isAbort: boolean): number {
  const { last, roots, intermediate } = state;
  const isMeant = last?.end === (isAbort ? "aborted" : "rotated");
  if (print.format === "json") print.json(state);
  else {
    const { paint, glyphs } = print.style;
    const mark = isMeant ? paint.green(glyphs.passed) : paint.red(glyphs.failed);
    const present = last?.of === "root" ? (roots[0]?.fingerprint ?? "") : intermediate.fingerprint;
    print.lines([
      `${mark} ${last === null ? "" : outcomeText(last)}; in force is ${short(present)}`,
    ]);
  }
  return isMeant ? EXIT_OK : EXIT_FAILED;
}

/** Each step once; who is waited for when somebody joins them and now and then, else how many are left. */
class ProgressView {
  readonly #context: CommandContext;
  #step = "";
  #told: ReadonlySet<string> = new Set();
  #left = 0;
  #toldAt = -Infinity;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  show({ rotation }: AuthorityState, id: string): void {
    const { print, clock } = this.#context;
    if (rotation?.id !== id) return;
    const step = stepText(rotation, print.style);
    if (step !== this.#step) print.note(step);
    const waiting = rotation.waiting.map(({ name, reason }) => `${name} ${reason}`);
    const isNew = step !== this.#step || waiting.some((each) => !this.#told.has(each));
    const isDue = clock.monotonic() - this.#toldAt > REMIND_MS;
    if (waiting.length > 0 && (isNew || isDue)) {
      for (const line of waitingLines(rotation.waiting)) print.note(line);
      this.#told = new Set(waiting);
      this.#toldAt = clock.monotonic();
    } else if (waiting.length > 0 && waiting.length < this.#left) {
      print.note(`  waits for ${waiting.length} more`);
    }
    this.#step = step;
    this.#left = waiting.length;
  }
}

async function stateOf(mesh: Mesh): Promise<AuthorityState> {
  return readAuthorityState(await mesh.inspect("/v1/authority"));
}

function timeoutMs(context: CommandContext): number {
  const text = option(context, "timeout");
  if (text === null) return Infinity;
  const [, count = "", unit = ""] = /^(\d{1,6})(s|m|h)$/.exec(text) ?? [];
  const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 }[unit];
  if (unitMs !== undefined) return Number(count) * unitMs;
  throw new MeshAccessError("failed", `Cannot read "${text.slice(0, 40)}" as a time`, {
    next: "Write a number with s, m or h, as in 10m",
  });
}

function refused({ message, next }: NonNullable<AuthorityState["refusal"]>): MeshAccessError {
  return new MeshAccessError("failed", message, { next });
}

function notTaken({ isDriven, fault }: AuthorityState): MeshAccessError {
  const stuck = fault === "" ? "no controller takes it up" : fault;
  const why = isDriven ? stuck : "no controller drives now";
  return new MeshAccessError("failed", `Cannot begin: ${why}`, {
    next: "See that the controllers run: signet check",
  });
}

function tooLong(state: AuthorityState | null, context: CommandContext): MeshAccessError {
  const [first] = state?.rotation?.waiting ?? [];
  const who = first === undefined ? "" : `: it waits for ${waitingText(first)}`;
  const time = option(context, "timeout") ?? "";
  return new MeshAccessError("failed", `Cannot see the end within ${time}${who}`, {
    next: "It goes on by itself; see signet ca rotate --status, or give it up: signet ca rotate --abort",
  });
}
