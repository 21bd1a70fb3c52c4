// A record as it is stored: the same, but for its keys, which are wrapped. The text of a wrapped key says under
// which key; one that is not wrapped is a PEM, and is taken as it is.
import { base64 } from "#/lib/base64.ts";
import { createHash } from "node:crypto";
import type { KeyWrapper } from "./key-wrapper.ts";
import { sealed } from "./key-wrapper.ts";
import type { AuthorityRecord, Keyed } from "./record.ts";

const pattern = /^signet-wrapped-key:v1:([\w-]{1,64}):([A-Za-z0-9+/=]+)\n?$/;

/** As it is to be stored. `wrapper` null: keys stay as they are. */
export async function sealRecord(
  record: AuthorityRecord,
  wrapper: KeyWrapper | null,
): Promise<AuthorityRecord> {
  if (wrapper === null) return record;
  return withKeys(record, async ({ certificate, key }) => {
    const wrapped = await wrapper.wrap(Buffer.from(key), contextOf(certificate));
    const text = base64(wrapped);
    return `signet-wrapped-key:v1:${wrapper.id}:${text}\n`;
  });
}

/** As it was before it was sealed. Rejects with CaError `authority_sealed`. */
export async function openRecord(
  record: AuthorityRecord,
  wrapper: KeyWrapper | null,
): Promise<AuthorityRecord> {
  return withKeys(record, async ({ certificate, key }) => {
    if (!isSealed(key)) return key;
    const [, id = "", text = ""] = pattern.exec(key) ?? [];
    if (id === "") throw sealed("what is wrapped cannot be read");
    if (wrapper === null) throw sealed(`it is wrapped under a key that is not given (${id})`);
    const plain = await wrapper.unwrap(Buffer.from(text, "base64"), contextOf(certificate), id);
    return Buffer.from(plain).toString("utf8");
  });
}

/** Whether every key in it is wrapped. */
export async function isWholeSealed(record: AuthorityRecord): Promise<boolean> {
  let isWhole = true;
  await withKeys(record, ({ key }) => {
    isWhole &&= isSealed(key);
    return Promise.resolve(key);
  });
  return isWhole;
}

function isSealed(key: string): boolean {
  return key.startsWith("signet-wrapped-key:");
}

interface HeldKey {
  readonly certificate: string;
  readonly key: string;
}

async function withKeys(
  record: AuthorityRecord,
  change: (held: HeldKey) => Promise<string>,
): Promise<AuthorityRecord> {
  const changed = async ({ certificate, key }: Keyed): Promise<string | null> =>
    key === null ? null : change({ certificate, key });
  const { rootKey, intermediate, intermediateKey, rotation, pending } = record;
  const [root = ""] = record.roots;
  const next = {
    ...record,
    rootKey: await changed({ certificate: root, key: rootKey }),
    intermediateKey: await change({ certificate: intermediate, key: intermediateKey }),
    pending:
      pending === null
        ? null
        : { ...pending, key: await change({ certificate: pending.request, key: pending.key }) },
  };
  if (rotation === null) return next;
  const { other } = rotation;
  return {
    ...next,
    rotation: {
      ...rotation,
      other: {
        root: { ...other.root, key: await changed(other.root) },
        intermediate: { ...other.intermediate, key: await changed(other.intermediate) },
      },
    },
  };
}

/** Without what an editor may do to the end of a PEM. */
function contextOf(certificate: string): string {
  return createHash("sha256").update(certificate.trim()).digest("hex");
}
