// The log as the read API shows it: its head, and proofs that whoever asks can check without believing us.
// Each replica has a log of its own: asked for what is not in it, it says null. Roots and hashes are base64.
import { entryText } from "#/ca/ledger/entry-text.ts";
import type { Ledger } from "#/ca/ledger/ledger.ts";
import type { AdminReply, AdminRoute } from "#/lib/admin.ts";
import { json } from "#/lib/admin.ts";
import { badRequest, base64 } from "./answers.ts";

export interface LogOptions {
  readonly ledger: Pick<Ledger, "query" | "head" | "inclusion" | "consistency">;
  /** Of this replica. */
  readonly pod: string;
}

/** Unknown and unreadable parameters are answered with 400. */
export function logRoutes(options: LogOptions): Readonly<Record<string, AdminRoute>> {
  return {
    "/v1/log/head": (url) => fault(url, {}) ?? json({ pod: options.pod, head: headOf(options) }),
    "/v1/log/inclusion": (url) =>
      fault(url, { serial: /^[0-9a-f]{1,40}$/ }) ?? inclusion(options, url),
    "/v1/log/consistency": (url) =>
      fault(url, { pod: /^.{0,253}$/, before: /^\d{1,15}$/ }) ?? consistency(options, url),
  };
}

function headOf({ ledger }: LogOptions): object {
  const { size, root } = ledger.head();
  return { size, root: base64(root) };
}

/** The entry of that serial as its leaf was made of it, and the way from there to the present root. */
function inclusion({ ledger, pod }: LogOptions, { searchParams }: URL): AdminReply {
  const serial = searchParams.get("serial") ?? "";
  const [entry] = ledger.query({ serial, limit: 1 });
  if (entry === undefined) return json({ pod, inclusion: null });
  const { size, root } = ledger.head();
  const { index } = entry;
  const proof = ledger.inclusion(index, size).map(base64);
  const head = { size, root: base64(root) };
  return json({ pod, inclusion: { index, entry: entryText(entry), proof, head } });
}

/** That what the log of `pod` was at `before` entries is the beginning of what it is now. */
function consistency({ ledger, pod }: LogOptions, { searchParams }: URL): AdminReply {
  const before = Number(searchParams.get("before"));
  const { size, root } = ledger.head();
  const head = { size, root: base64(root) };
  if (searchParams.get("pod") !== pod) return json({ pod, consistency: null });
  // It was longer: what is to be proven is not so, and the head says it.
  const proof = before > size ? [] : ledger.consistency(before, size).map(base64);
  return json({ pod, consistency: { before, proof, head } });
}

/** Every parameter there once, of its form, and no other. */
function fault(url: URL, forms: Readonly<Record<string, RegExp>>): AdminReply | null {
  const names = [...url.searchParams.keys()];
  const unknown = names.find((name) => !Object.hasOwn(forms, name));
  if (unknown !== undefined) return badRequest(`parameter "${unknown.slice(0, 80)}" is unknown`);
  for (const [name, form] of Object.entries(forms)) {
    const [value, ...more] = url.searchParams.getAll(name);
    if (value === undefined || more.length > 0 || !form.test(value)) {
      return badRequest(`parameter "${name}" is not as it must be`);
    }
  }
  return null;
}
