// The head of a request as HTTP/2 has it: whether it is well formed (RFC 9113 section 8.3.1), and what
// the proxy has to decide by. The rules for method, path and host are those of HTTP/1, so that policy sees
// the same whichever way a request came (attacks 36 to 40). One per connection, used for each request.
import {
  PERCENT,
  QUERY,
  SLASH,
  TOKEN,
  ascii,
  equalsIgnoringCase,
  sameIgnoringCase,
  textOf,
} from "../http1/bytes.ts";
import { kindSet } from "../http1/field-kind.ts";
import { HostMemo } from "../http1/host.ts";
import { METHOD, METHOD_BYTES_MAX, methodName, methodOf } from "../http1/method.ts";
import type { MethodCode } from "../http1/method.ts";
import { normalizePath } from "../http1/path.ts";
import { TARGET_BYTES_MAX } from "../http1/request-line.ts";
import { PLAIN_PATH_BYTES, TARGET_BYTES, isAfterSlash } from "../http1/target-bytes.ts";
import { contentLengthOf, fieldsFault } from "./fields-fault.ts";
import type { StreamFault } from "./fault.ts";
import { FieldBlock } from "./field-block.ts";
import { KIND } from "./field-kind.ts";

const ASTERISK = 0x2a;
const HTTP = ascii("http");
const HTTPS = ascii("https");
const NO_FIELDS = new FieldBlock();

const member = (kind: number): number => 1 << kind;
const REQUIRED = member(KIND.method) | member(KIND.scheme) | member(KIND.path);
const CONNECT_REQUIRED = member(KIND.method) | member(KIND.authority);
const EXTENDED_REQUIRED = REQUIRED | CONNECT_REQUIRED | member(KIND.protocol);
const PSEUDO = EXTENDED_REQUIRED | member(KIND.status);
const TARGETS = PSEUDO & ~member(KIND.method);
const HOSTS = member(KIND.authority) | kindSet(KIND.host);

export class RequestFields {
  fields: FieldBlock = NO_FIELDS;
  method: MethodCode = METHOD.other;
  /** Bytes of content that the head announces, or -1. */
  contentLength = -1;
  readonly host: HostMemo = new HostMemo();
  /** CONNECT with :protocol (RFC 8441); the protocol is `fields.first[KIND.protocol]`. */
  extended = false;
  /** The :path to send on when it is not the received one: normalised. */
  newPath: Buffer | null = null;
  /** Where in the bytes of `fields` the query begins (its `?`), or where the path ends. */
  pathEnd = 0;

  get methodText(): string {
    if (this.method !== METHOD.other) return methodName(this.method);
    return this.fields.valueText(this.fields.first[KIND.method]!);
  }

  /** The normalised path without the query; empty for CONNECT. */
  get pathText(): string {
    const { fields } = this;
    if (!fields.has(KIND.path)) return "";
    if (this.newPath === null) {
      return textOf(fields.bytes, fields.valueStart(fields.first[KIND.path]!), this.pathEnd);
    }
    const query = this.newPath.indexOf(QUERY);
    return textOf(this.newPath, 0, query < 0 ? this.newPath.length : query);
  }

  /** Reads a block as a request's head; null when it is one. */
  read(fields: FieldBlock, endStream: boolean, extendedAllowed: boolean): StreamFault | null {
    this.fields = fields;
    this.newPath = null;
    this.extended = fields.has(KIND.protocol);
    this.pathEnd = 0;
    const fault = fieldsFault(fields);
    if (fault !== null) return fault;
    if (fields.has(KIND.status) || (fields.repeated & PSEUDO) !== 0 || !fields.has(KIND.method)) {
      return "bad_pseudo_fields";
    }
    return (
      this.#readMethod() ??
      this.#readHost() ??
      this.#readConnect(extendedAllowed) ??
      (this.method === METHOD.connect && !this.extended ? null : this.#readTarget()) ??
      this.#readLength(endStream)
    );
  }

  #readMethod(): StreamFault | null {
    const { fields } = this;
    const field = fields.first[KIND.method]!;
    const start = fields.valueStart(field);
    const end = fields.valueEnd(field);
    this.method = methodOf(fields.bytes, start, end);
    if (this.method !== METHOD.other) return null;
    let at = start;
    while (at < end && TOKEN[fields.bytes[at]!] !== 0) at += 1;
    return at < end || end === start || end - start > METHOD_BYTES_MAX ? "bad_method" : null;
  }

  /** :authority and Host are one and the same, or one of them is missing. */
  #readHost(): StreamFault | null {
    const { fields } = this;
    if ((fields.seen & HOSTS) === 0) return "host_missing";
    if ((fields.repeated & HOSTS) !== 0) return "host_repeated";
    const kind = fields.has(KIND.authority) ? KIND.authority : KIND.host;
    const start = fields.valueStart(fields.first[kind]!);
    const end = fields.valueEnd(fields.first[kind]!);
    if ((fields.seen & HOSTS) === HOSTS) {
      const host = fields.first[KIND.host]!;
      const [from, to] = [fields.valueStart(host), fields.valueEnd(host)];
      if (!sameIgnoringCase(fields.bytes, start, end, from, to)) return "authority_mismatch";
    }
    return this.host.read(fields.bytes, start, end) === 0 ? null : "bad_host";
  }

  #readConnect(extendedAllowed: boolean): StreamFault | null {
    const { fields } = this;
    if (this.method !== METHOD.connect) return this.extended ? "bad_connect" : null;
    const present = fields.seen & PSEUDO;
    if (this.extended) {
      return extendedAllowed && present === EXTENDED_REQUIRED ? null : "bad_connect";
    }
    return present === CONNECT_REQUIRED ? null : "bad_connect";
  }

  #readTarget(): StreamFault | null {
    const { fields } = this;
    const present = fields.seen & TARGETS & ~member(KIND.authority);
    const wanted = this.extended ? EXTENDED_REQUIRED & TARGETS : REQUIRED & TARGETS;
    if (present !== (wanted & ~member(KIND.authority))) return "bad_pseudo_fields";
    const { bytes } = fields;
    const scheme = fields.first[KIND.scheme]!;
    const [start, end] = [fields.valueStart(scheme), fields.valueEnd(scheme)];
    const known =
      equalsIgnoringCase(bytes, start, end, HTTP) || equalsIgnoringCase(bytes, start, end, HTTPS);
    return known ? this.#readPath() : "bad_scheme";
  }

  #readPath(): StreamFault | null {
    const { fields } = this;
    const { bytes } = fields;
    const field = fields.first[KIND.path]!;
    const start = fields.valueStart(field);
    const end = fields.valueEnd(field);
    if (start === end || end - start > TARGET_BYTES_MAX) return "bad_path";
    if (bytes[start] === ASTERISK) {
      this.pathEnd = end;
      return end - start === 1 && this.method === METHOD.options ? null : "bad_path";
    }
    if (bytes[start] !== SLASH) return "bad_path";
    let suspect = false;
    let at = start;
    for (; at < end; at += 1) {
      const byte = bytes[at]!;
      if (PLAIN_PATH_BYTES[byte] !== 0) continue;
      if (isAfterSlash(byte)) suspect ||= at > start && bytes[at - 1] === SLASH;
      else if (byte === PERCENT) suspect = true;
      else break;
    }
    this.pathEnd = at;
    if (at < end && bytes[at] !== QUERY) return "bad_path";
    for (; at < end; at += 1) if (TARGET_BYTES[bytes[at]!] === 0) return "bad_path";
    return suspect ? this.#normalize(start, end) : null;
  }

  #normalize(start: number, end: number): StreamFault | null {
    const { bytes } = this.fields;
    const path = normalizePath(bytes, start, this.pathEnd);
    if (typeof path === "number") return "bad_path";
    if (path.equals(bytes.subarray(start, this.pathEnd))) return null;
    this.newPath = Buffer.concat([path, bytes.subarray(this.pathEnd, end)]);
    return null;
  }

  #readLength(endStream: boolean): StreamFault | null {
    const length = contentLengthOf(this.fields);
    if (typeof length === "string") return length;
    this.contentLength = length;
    if (length >= 0 && this.method === METHOD.connect) return "content_not_allowed";
    return endStream && length > 0 ? "content_length_mismatch" : null;
  }
}
