// The mesh's authorities in a Secret of the mesh's own namespace. The first controller makes it, with a
// root of its own, key included (managed); or somebody put an intermediate there whose root's key is
// elsewhere (offline root): then it is used as it is, also when it is replaced, and never written. Two
// controllers that start at once make two roots; the API server stores one, and both use that.
//
// It is written under the resourceVersion that was read: who was slower is refused by the API server and
// reads again. That, and not immutability, keeps two writers from one another.
import {
  authoritySecret,
  makeIntermediate,
  makeRoot,
  newRecord,
  toSecret,
} from "#/ca/mesh-authorities.ts";
import type { KeyWrapper } from "#/ca/rotation/key-wrapper.ts";
import { fromTexts } from "#/ca/rotation/record.ts";
import type { AuthorityRecord } from "#/ca/rotation/record.ts";
import { isWholeSealed, openRecord, sealRecord } from "#/ca/rotation/sealed-record.ts";
import { KubernetesError } from "#/cluster/kubernetes/kubernetes-error.ts";
import type { RawObject } from "#/cluster/kubernetes/reflection.ts";
import { reflect, tellLoss } from "#/cluster/kubernetes/reflector.ts";
import type { KubernetesParts } from "#/cluster/kubernetes/reflector.ts";
import type { TrustDomain } from "#/identity/spiffe-id.ts";
import { messageOf } from "#/lib/errors.ts";
import type { Log } from "#/lib/log.ts";
import { Watch } from "#/lib/watch.ts";
import { CustodyError, unusable } from "./custody.ts";
import type { AuthorityStore, Stored } from "./custody.ts";
import { parseRequest } from "./rotation/decide.ts";
import type { RotationRequest } from "./rotation/decide.ts";

export interface SecretOptions extends KubernetesParts {
  readonly trustDomain: TrustDomain;
  /** Wraps what is written; null: keys are stored as they are. */
  readonly wrapper: KeyWrapper | null;
  readonly log: Log;
}

const { namespace, name: secretName } = authoritySecret;
const collection = `/api/v1/namespaces/${namespace}/secrets`;
const path = `${collection}/${secretName}`;
const place = `Secret "${namespace}/${secretName}"`;
const query = { fieldManager: "signet-controller" } as const;
/** Where a rotation is asked for: whoever may write it may have the mesh's authorities replaced. */
const requestName = "signet-rotation";
const requestKey = "request";

/** The Secret is made when there is none. Rejects with MeshError. */
export async function openSecret(options: SecretOptions): Promise<AuthorityStore> {
  const store = new SecretStore(options, await readOrMake(options));
  await store.seal();
  return store;
}

async function readOrMake(options: SecretOptions): Promise<Read> {
  const { client, trustDomain, wrapper, clock, log } = options;
  const present = await readSecret(options);
  if (present !== null) return present;
  const root = await makeRoot(trustDomain, clock.now());
  const intermediate = await makeIntermediate(root, trustDomain, clock.now());
  const record = newRecord({ root, intermediate, withRootKey: true });
  const body = toSecret(await sealRecord(record, wrapper));
  try {
    await client.call({ method: "POST", path: collection, query, body });
    log.warn("a root was made", { place });
  } catch (error) {
    if (!(error instanceof KubernetesError && error.code === "conflict")) throw error;
  }
  const stored = await readSecret(options);
  if (stored !== null) return stored;
  throw unusable({ custody: "managed", place }, new Error("it is gone again"));
}

class SecretStore implements AuthorityStore {
  readonly stored: Watch<Stored>;
  readonly request: Watch<RotationRequest | null> = new Watch<RotationRequest | null>(null);
  readonly #options: SecretOptions;
  readonly #stack = new AsyncDisposableStack();
  #isImmutable: boolean;
  /** One after the other: opening keys may take a while, and the last one counts. */
  #reading: Promise<void> = Promise.resolve();

  constructor(options: SecretOptions, first: Read) {
    this.#options = options;
    this.stored = new Watch(first.stored);
    this.#isImmutable = first.isImmutable;
    this.#follow(collection, secretName, (object) => void this.#read(object));
    this.#follow(`/api/v1/namespaces/${namespace}/configmaps`, requestName, (object) => {
      const data = (object["data"] ?? {}) as Readonly<Record<string, unknown>>;
      const text = data[requestKey];
      const request = typeof text === "string" ? parseRequest(text) : null;
      if (request?.id !== this.request.get()?.id) this.request.set(request);
    });
  }

  get readOnly(): string | null {
    if (!this.#isImmutable) return null;
    return `${place} is immutable, as an earlier version made it`;
  }

  async write(record: AuthorityRecord, over: Stored): Promise<void> {
    const { client, wrapper } = this.#options;
    const secret = toSecret(await sealRecord(record, wrapper)) as { readonly metadata: object };
    const metadata = { ...secret.metadata, resourceVersion: over.version };
    const body = { ...secret, metadata };
    await this.#read((await client.call({ method: "PUT", path, query, body })) as RawObject);
  }

  /** Keys of ours that stand there unwrapped, though there is what to wrap them under, are wrapped now. */
  async seal(): Promise<void> {
    const stored = this.stored.get();
    const { wrapper, log } = this.#options;
    if (wrapper === null || stored.isSealed) return;
    if (stored.custody !== "managed" || this.readOnly !== null) {
      log.warn("the intermediate's key is stored unwrapped", { place });
      return;
    }
    try {
      await this.write(stored.record, stored);
      log.info("keys wrapped", { place, under: wrapper.id });
    } catch (thrown) {
      // Whoever was faster has done the same.
      if (!(thrown instanceof KubernetesError && thrown.code === "conflict")) throw thrown;
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#stack.disposeAsync();
  }

  /** What cannot be read leaves the last good one in force; and so does a Secret that is deleted. */
  #read(object: RawObject): Promise<void> {
    const { log, wrapper } = this.#options;
    this.#reading = this.#reading.then(async () => {
      try {
        const { stored, isImmutable } = await readObject(object, wrapper);
        this.#isImmutable = isImmutable;
        if (isLater(stored.version, this.stored.get().version)) this.stored.set(stored);
      } catch (thrown) {
        log.error("authority not read, the last good one stays", { reason: messageOf(thrown) });
      }
    });
    return this.#reading;
  }

  #follow(collectionPath: string, name: string, take: (object: RawObject) => void): void {
    const { log } = this.#options;
    this.#stack.use(
      reflect({
        ...this.#options,
        path: collectionPath,
        query: { fieldSelector: `metadata.name=${name}` },
        onChange: (change) => {
          if (change.type === "applied") take(change.object);
          else if (name === secretName) log.error("the mesh's Secret is gone", { place });
        },
        onState: tellLoss(log, `${collectionPath}/${name}`),
      }),
    );
  }
}

/** A watch may still bring what was there before our own write. */
function isLater(one: string, other: string): boolean {
  const areNumbers = [one, other].every((version) => /^\d{1,20}$/.test(version));
  return areNumbers ? BigInt(one) > BigInt(other) : one !== other;
}

interface Read {
  readonly stored: Stored;
  readonly isImmutable: boolean;
}

async function readSecret({ client, wrapper }: SecretOptions): Promise<Read | null> {
  try {
    return await readObject((await client.call({ method: "GET", path })) as RawObject, wrapper);
  } catch (error) {
    if (error instanceof KubernetesError && error.code === "not_found") return null;
    throw error;
  }
}

async function readObject(object: RawObject, wrapper: KeyWrapper | null): Promise<Read> {
  const data = (object["data"] ?? {}) as Readonly<Record<string, string>>;
  const texts = Object.fromEntries(
    Object.entries(data).map(([name, encoded]) => [
      name,
      Buffer.from(encoded, "base64").toString("utf8"),
    ]),
  );
  const custody = "root.key" in data ? "managed" : "offline_root";
  const version = object.metadata.resourceVersion ?? "";
  try {
    const read = fromTexts(texts);
    const [record, isSealed] = [await openRecord(read, wrapper), await isWholeSealed(read)];
    return {
      stored: { custody, place, record, isSealed, version },
      isImmutable: object["immutable"] === true,
    };
  } catch (thrown) {
    throw thrown instanceof CustodyError ? thrown : unusable({ custody, place }, thrown);
  }
}
