// What gunicorn's own tests call invalid and valid, and what the sidecar's parser says of it.
import test from "ava";
import type { RefusalReason } from "#/http/http1/refusal.ts";
import { understand } from "../kit/understood.ts";
import { gunicornCorpus } from "./origins/gunicorn-corpus.ts";

const folder = process.env["SIGNET_TEST_GUNICORN_SOURCE"] ?? "";

/** Invalid to gunicorn, passed on by us, and why. */
const passed: Readonly<Record<string, string>> = {
  "invalid/003c with a Host": "the method -bl is a token",
  "invalid/006 with a Host": "its request line is longer than gunicorn's limit, not than ours",
  "invalid/007 with a Host": "a field longer than a limit of gunicorn's",
  "invalid/008 with a Host": "a field longer than a limit of gunicorn's",
  "invalid/009 with a Host": "more fields than a limit of gunicorn's",
  "invalid/010 with a Host": "a field longer than a limit that its test sets",
  "invalid/017 with a Host": "a field longer than a limit that its test sets",
  "invalid/019 with a Host": "which scheme an application is told is for it to judge",
  "invalid/041": "Content-Type twice frames, routes and identifies nothing",
  "invalid/limit_header_default_01 with a Host": "a field longer than gunicorn's limit",
};

/** Why we refuse what is valid to gunicorn. */
const stricter: Partial<Record<RefusalReason, string>> = {
  host_missing: "RFC 9112 section 3.2 demands it in HTTP/1.1, and routes are chosen by it",
  bad_host: "0.0.0.0=5000 is no host",
  bad_target: "a fragment is no part of a target",
  bad_target_form: "https cannot be asked for in plaintext",
  authority_mismatch: "user information is not what Host says",
  connect_refused: "sidecars are no proxies of applications",
  space_before_colon: "RFC 9112 section 5.1",
  obs_fold: "RFC 9112 section 5.2: refused where it is not rewritten",
  disguised_framing_name: "some servers take content_length for the real one",
  transfer_coding_unknown: "chunked alone is understood alike by all",
  transfer_encoding_repeated: "one framing, said once",
  bad_chunk_extension: "recipients disagree on where blanks end",
  trailer_refused: "what describes content may not come behind it",
  bad_start_line: "the PROXY protocol is spoken by nobody in the mesh",
  bad_method: "the PROXY protocol is spoken by nobody in the mesh",
};

test("gunicorn's invalid requests are refused, or never complete, but for what has a reason", (t) => {
  const found = gunicornCorpus(folder, "invalid")
    .filter(({ bytes }) => understand(bytes).requests.length > 0)
    .map(({ name }) => name);
  t.deepEqual(found.toSorted(), Object.keys(passed).toSorted());
});

test("gunicorn's valid requests are passed on, or refused for a reason that we have", (t) => {
  const refused = new Set<string>();
  let through = 0;
  for (const { bytes } of gunicornCorpus(folder, "valid")) {
    const { requests, end } = understand(bytes);
    if (requests.length > 0) through += 1;
    else if (typeof end !== "string") refused.add(end.reason);
  }
  t.log(`${through} passed on`);
  t.deepEqual([...refused].toSorted(), Object.keys(stricter).toSorted());
});
