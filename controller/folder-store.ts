// The mesh's authorities in a folder: root.crt, intermediate.crt and intermediate.key, as somebody put them
// there; with root.key beside them the controller can rotate them. What it writes then is one file,
// authorities.json, renamed into place: the plain files are not looked at any more. For whoever publishes
// the mesh's roots, bundle.pem and links.pem are kept beside it. A rotation is asked for by request.json:
// who may write into the folder may have anything anyway.
import { constants } from "node:fs";
import { open, readFile, rename } from "node:fs/promises";
import path from "node:path";
import { fromTexts, textNames, toTexts } from "#/ca/rotation/record.ts";
import type { KeyWrapper } from "#/ca/rotation/key-wrapper.ts";
import type { AuthorityRecord, Texts } from "#/ca/rotation/record.ts";
import { isWholeSealed, openRecord, sealRecord } from "#/ca/rotation/sealed-record.ts";
import type { Clock } from "#/lib/clock.ts";
import { sleep } from "#/lib/clock.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { CustodyError, unusable } from "./custody.ts";
import type { AuthorityStore, Stored } from "./custody.ts";
import { parseRequest } from "./rotation/decide.ts";
import type { RotationRequest } from "./rotation/decide.ts";

export interface FolderOptions {
  readonly folder: string;
  /** Of several controllers each has a folder of its own: there is nothing to agree on. */
  readonly isShared: boolean;
  /** Wraps what is written; null: keys are stored as they are. */
  readonly wrapper: KeyWrapper | null;
  readonly clock: Clock;
  readonly log: Log;
}

const recordFile = "authorities.json";
const requestFile = "request.json";
const bundleFile = "bundle.pem";
/** How often the folder is looked at: a mounted one changes without a word. */
const lookMs = 500;

/** Rejects with CustodyError when it cannot be read. */
export async function openFolder(options: FolderOptions): Promise<AuthorityStore> {
  const first = await readStored(options);
  const store = new FolderStore(options, first, await readRequest(options.folder));
  // A crash may have come between the record and what is published of it.
  const isWritten = first.record.handled !== "" || first.record.last !== null;
  if (store.readOnly === null && isWritten) await publish(options.folder, first.record);
  return store;
}

class FolderStore implements AuthorityStore {
  readonly stored: Watch<Stored>;
  readonly request: Watch<RotationRequest | null>;
  readonly readOnly: string | null;
  readonly #options: FolderOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #writing: Promise<void> = Promise.resolve();
  #fault = "";

  constructor(options: FolderOptions, first: Stored, request: RotationRequest | null) {
    this.#options = options;
    this.stored = new Watch(first);
    this.request = new Watch(request);
    this.readOnly = options.isShared
      ? `the mesh's keys are in ${first.place}, kept by somebody else`
      : null;
    this.#done = this.#look();
  }

  async write(record: AuthorityRecord, over: Stored): Promise<void> {
    const { folder, wrapper } = this.#options;
    const writing = this.#writing.then(async () => {
      if (this.readOnly !== null || this.stored.get() !== over) {
        throw new CustodyError(
          "authority_unwritable",
          `Cannot write ${over.place}: it is another by now`,
        );
      }
      const sealed = await sealRecord(record, wrapper);
      const text = JSON.stringify(toTexts(sealed), null, 2);
      await replace(path.join(folder, recordFile), text);
      await publish(folder, record);
      this.stored.set({ ...over, record, version: text, isSealed: wrapper !== null });
    });
    this.#writing = writing.catch(() => {});
    return writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.#writing;
  }

  async #look(): Promise<void> {
    const { clock, folder, log } = this.#options;
    const { signal } = this.#stop;
    for (;;) {
      await sleep(clock, lookMs, signal);
      if (signal.aborted) return;
      await this.#writing;
      const before = this.stored.get();
      try {
        const stored = await readStored(this.#options);
        // Written by ourselves meanwhile: what was read is older.
        if (this.stored.get() === before && stored.version !== before.version) {
          this.stored.set(stored);
        }
        const request = await readRequest(folder);
        if (request?.id !== this.request.get()?.id) this.request.set(request);
        this.#fault = "";
      } catch (thrown) {
        const reason = messageOf(thrown);
        if (reason !== this.#fault)
          log.error("authority not read, the last good one stays", { reason });
        this.#fault = reason;
      }
    }
  }
}

async function readStored({ folder, wrapper }: FolderOptions): Promise<Stored> {
  const place = `folder "${folder}"`;
  const whole = await readIfThere(path.join(folder, recordFile));
  const version = whole ?? JSON.stringify(await readPlainFiles(folder));
  const where = whole === null ? place : `file "${path.join(folder, recordFile)}"`;
  try {
    const read = fromTexts(JSON.parse(version) as Texts);
    const [record, isSealed] = [await openRecord(read, wrapper), await isWholeSealed(read)];
    return { custody: "folder", place, record, isSealed, version };
  } catch (thrown) {
    throw unusable({ custody: "folder", place: where }, thrown);
  }
}

/** Rejects with CustodyError for one that is missing. */
async function readPlainFiles(folder: string): Promise<Texts> {
  const texts: Record<string, string> = {};
  for (const name of [textNames.roots, textNames.intermediate, textNames.intermediateKey]) {
    texts[name] = await readNeeded(path.join(folder, name));
  }
  const rootKey = await readIfThere(path.join(folder, textNames.rootKey));
  if (rootKey !== null) texts[textNames.rootKey] = rootKey;
  return texts;
}

async function readNeeded(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new CustodyError("authority_unreadable", `Cannot read "${file}": ${messageOf(cause)}`, {
      cause,
      next: "Set SIGNET_CA_DIRECTORY to a folder with root.crt, intermediate.crt and intermediate.key",
    });
  }
}

async function readRequest(folder: string): Promise<RotationRequest | null> {
  const text = await readIfThere(path.join(folder, requestFile));
  return text === null ? null : parseRequest(text);
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new CustodyError("authority_unreadable", `Cannot read "${file}": ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** The bundle last: whoever looks at it finds the links that lead to it. */
async function publish(folder: string, { roots, links }: AuthorityRecord): Promise<void> {
  await replace(path.join(folder, textNames.links), links.join(""));
  await replace(path.join(folder, bundleFile), roots.join(""));
}

/** Node's permission model knows no fsync: the kernel is told to write through instead. */
const writeThrough = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_SYNC;

/** The old content or the new is there, also after a crash, and never a part. */
async function replace(file: string, text: string): Promise<void> {
  const partial = `${file}.partial`;
  {
    await using handle = await open(partial, writeThrough, 0o600);
    await handle.writeFile(text);
  }
  await rename(partial, file);
}
